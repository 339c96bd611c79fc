import type { StepHost } from "../context.ts";
import { REPLAY_MISMATCH_TIMEOUT_MS } from "./invocation.ts";
import type { StepEntry, StepHistory } from "./step-history.ts";
import { type PendingStep, StepMatcher } from "./step-matcher.ts";

/** The steps of a run that has ended, as its workflow asks for them. */
export interface CollectedSteps {
  /** On record: finished, or planned. */
  readonly matched: ReadonlyMap<StepEntry, PendingStep>;
  /** Asked for and not on record: of them, only the first can have been started. */
  readonly newSteps: readonly PendingStep[];
  /** On record, but the workflow doesn't ask for it any more. */
  readonly unmatched: ReadonlySet<StepEntry>;
  /** What the workflow has thrown by itself. */
  readonly error?: unknown;
}

/**
 * Replays what is recorded, to learn which steps there are and how they are undone. Nothing new is carried out, and what
 * the workflow returns or throws is nobody's business any more.
 */
export function collectRollbacks(
  history: StepHistory,
  start: (host: StepHost) => unknown,
  timeoutMs: number = REPLAY_MISMATCH_TIMEOUT_MS,
): Promise<CollectedSteps> {
  return new Promise((end) => {
    let over = false;
    let finished = false;
    let error: unknown;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const finish = (): void => {
      finished = true;
      clearTimeout(timer);
      const { matched, newSteps, unmatched } = matcher;
      end({ matched, newSteps, unmatched, error });
    };
    const quiet = (): void => {
      // A branch may be waiting for something of its own before it asks.
      const more = matcher.newSteps.length === 0 && history.phase.kind === "advance" && !over;
      if (matcher.unmatched.size > 0 || more) timer ??= setTimeout(finish, timeoutMs);
      else finish();
    };
    const matcher = new StepMatcher(history.entries, { idle: quiet, unreadable: finish });
    const ended = (): void => {
      over = true;
      void matcher.waitUntilIdle();
    };
    const host: StepHost = {
      request: (step) =>
        new Promise((resolve, reject) => {
          if (finished) return reject(new TypeError(`A rollback can't contain step "${step.name}".`));
          matcher.match({ step, resolve: resolve as PendingStep["resolve"], reject });
          void matcher.waitUntilIdle();
        }),
      cancel: () => {
        ended();
        return new Promise(() => {});
      },
    };
    Promise.resolve()
      .then(() => start(host))
      .catch((thrown) => {
        error = thrown;
      })
      .then(ended);
  });
}
