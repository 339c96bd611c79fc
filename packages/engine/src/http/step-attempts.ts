import { type AttemptEntry, isKeyOf, type StepRecord } from "@perdure/core/protocol";
import { fromBase64, toBytes } from "../rules/bytes.ts";
import type { Failure } from "../rules/message.ts";
import { recordOf } from "../rules/record.ts";
import { isLive, type Run } from "../rules/run.ts";
import { readAttempt, stepIdentity, stepKeyOf } from "../rules/step-attempt.ts";
import type { RecordedEntry, RunLog } from "../store/lists.ts";
import type { YieldPoint } from "../store/time-slices.ts";
import type { StepState, StepView } from "./run-schemas.ts";
import { errorsView } from "./step-state.ts";

interface Attempt {
  readonly entry: AttemptEntry;
  readonly recorded: RecordedEntry;
}

/** The failed attempts of a run's steps that ran inline. */
export class StepAttempts {
  readonly #bySteps = new Map<string, Attempt[]>();
  /** The steps that have a result. */
  readonly #over = new Set<string>();

  /** @param pause lets other requests run between the entries of a long run */
  static async read({ entries }: RunLog, pause: YieldPoint): Promise<StepAttempts> {
    const attempts = new StepAttempts();
    for (const one of entries.values()) {
      await pause();
      if (one.callType === "attempt") attempts.#add(one);
    }
    if (attempts.#bySteps.size === 0) return attempts;
    for (const one of entries.values()) {
      await pause();
      if (isKeyOf("result", one.key)) attempts.#over.add(stepIdentity(stepKeyOf(recordOf(one))));
    }
    return attempts;
  }

  #add(recorded: RecordedEntry): void {
    const entry = readAttempt(fromBase64(recorded.body));
    const identity = stepIdentity(entry.step);
    const attempts = this.#bySteps.get(identity);
    if (attempts) attempts.push({ entry, recorded });
    else this.#bySteps.set(identity, [{ entry, recorded }]);
  }

  /** The failed attempts of a record's step. */
  of(record: StepRecord): Failure[] {
    return (this.#bySteps.get(stepIdentity(stepKeyOf(record))) ?? []).map(toFailure);
  }

  /** The steps that have failed and have no result. */
  open(run: Run): (Pick<StepView, "messageId"> & Partial<StepView>)[] {
    const open = [...this.#bySteps].filter(([identity]) => !this.#over.has(identity));
    return open.flatMap(([, attempts]) => {
      const last = attempts.at(-1);
      if (!last) return [];
      const { step, retryAt } = last.entry;
      return [
        {
          messageId: last.recorded.messageId,
          stepName: step.name,
          stepType: step.type,
          state: stateOf(last.entry, run),
          ...(retryAt === undefined || !isLive(run) ? {} : { nextDeliveryTime: retryAt }),
          ...errorsView(attempts.map(toFailure)),
        },
      ];
    });
  }
}

function stateOf({ retryAt }: AttemptEntry, run: Run): StepState {
  if (retryAt === undefined) return "STEP_FAILED";
  return isLive(run) ? "STEP_RETRY" : "STEP_CANCELED";
}

/** Converts a failed attempt to the answer that an endpoint gives when the attempt is a separate delivery. */
function toFailure({ entry, recorded }: Attempt): Failure {
  const status = entry.final ? 489 : 500;
  const body = toBytes(JSON.stringify(entry.error));
  return {
    at: recorded.createdAt,
    error: entry.error.message,
    reply: { status, headers: {}, body },
    byEngine: false,
  };
}
