import { newMessageId, type StepRecord } from "@perdure/core/protocol";
import type { NewMessage } from "../rules/message.ts";
import { deliveryOf, type Run } from "../rules/run.ts";
import { insertBareEntry } from "../store/tables/entries.ts";
import type { Tx } from "../store/tx.ts";
import { insertEntry } from "./insert-entry.ts";
import { wakeRun } from "./wake-run.ts";

/** The record of a step that the engine makes: of a wait, a sleep, an invocation or a call. */
export interface EngineStep {
  readonly key: string;
  readonly step: Pick<StepRecord, "stepName" | "stepType">;
  /** The step's record, as JSON. */
  readonly body: Uint8Array;
  /** Delivers the record to the endpoint, unless the run is inline. A delivery like the run's others by default. */
  readonly message?: NewMessage;
  /** The time of the wait was over before its event came. */
  readonly timedOut?: boolean;
  /** When the wait for the result began, in milliseconds since 1970. */
  readonly waitingSince?: number;
}

/**
 * Records a step, unless it is on record. Its delivery is due now; a run that its endpoint runs inline is woken.
 *
 * @param run as it is in this transaction
 */
export async function recordStep(tx: Tx, run: Run, step: EngineStep): Promise<void> {
  const { key, timedOut, body, waitingSince } = step;
  const { stepName, stepType } = step.step;
  const entry = { key, callType: "step", step: stepName, body } as const;
  const usual = { ...deliveryOf(run, "step", tx.now), id: newMessageId() };
  const message = { ...(step.message ?? usual), notBefore: tx.now, createdAt: tx.now };
  if (run.inline) {
    if (!(await insertBareEntry(tx, run.key, { ...entry, message: message.id }))) return;
    await wakeRun(tx, run);
  } else if (!(await insertEntry(tx, run, entry, message))) return;
  tx.record({
    type: "step.recorded",
    runId: run.id,
    step: stepName,
    stepType,
    ...(timedOut ? { timedOut } : {}),
    ...(waitingSince === undefined ? {} : { waitingSince, recordKey: key }),
  });
}
