import type { StepHost } from "../context.ts";
import { mismatchTimeoutMs } from "./invocation.ts";
import type { StepEntry, StepHistory } from "./step-history.ts";
import { type PendingStep, StepMatcher } from "./step-matcher.ts";

/** The steps of an ended run, matched with the steps that its workflow requests in a replay. */
export interface CollectedSteps {
  /** Recorded steps that the workflow requests: finished, or planned. */
  readonly matched: ReadonlyMap<StepEntry, PendingStep>;
  /** Requested steps without a record, in the order of the requests. */
  readonly newSteps: readonly PendingStep[];
  /** Recorded steps that the workflow no longer requests. */
  readonly unmatched: ReadonlySet<StepEntry>;
  /** The workflow's own error, not a step's. */
  readonly error?: unknown;
}

/**
 * Replays the recorded steps to collect their rollbacks. Carries out no new step, and ignores the value that
 * the workflow returns: the run is over.
 */
export function collectRollbacks(
  history: StepHistory,
  start: (host: StepHost) => unknown,
): Promise<CollectedSteps> {
  return new Promise((end) => {
    let over = false;
    let finished = false;
    let error: unknown;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const finish = (): void => {
      finished = true;
      clearTimeout(timer);
      matcher.stop();
      const { matched, unmatched } = matcher;
      end({ matched, newSteps: [...matcher.newSteps], unmatched, error });
    };
    const onIdle = (): void => {
      // A branch may wait for other work before it requests a step.
      const more = matcher.pending === 0 && !over;
      if (matcher.unmatched.size > 0 || more) timer ??= setTimeout(finish, mismatchTimeoutMs());
      else finish();
    };
    const matcher = new StepMatcher(history, { idle: onIdle, unreadable: finish });
    const ended = (): void => {
      over = true;
      matcher.watch();
    };
    const host: StepHost = {
      request: (step) =>
        new Promise((resolve, reject) => {
          if (finished) return reject(new TypeError(`A rollback can't contain step "${step.name}".`));
          matcher.request({ step, resolve: resolve as PendingStep["resolve"], reject });
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
