import { type Asked, Claims } from "./claims.ts";
import type { StepHost } from "./context.ts";
import type { Ledger, Slot } from "./group.ts";
import { PATIENCE_MS } from "./invocation.ts";

/** The steps of a run that has ended, as its workflow asks for them. */
export interface Unwound {
  /** On record: finished, or planned. */
  readonly claimed: ReadonlyMap<Slot, Asked>;
  /** Asked for and not on record: of them, only the first can have been started. */
  readonly fresh: readonly Asked[];
  /** On record, but the workflow doesn't ask for it any more. */
  readonly unclaimed: ReadonlySet<Slot>;
  /** What the workflow has thrown by itself. */
  readonly error?: unknown;
}

/**
 * Replays what is recorded, to learn which steps there are and how they are undone. Nothing new is carried out, and what
 * the workflow returns or throws is nobody's business any more.
 */
export function unwind(
  ledger: Ledger,
  start: (host: StepHost) => unknown,
  patience: number = PATIENCE_MS,
): Promise<Unwound> {
  return new Promise((end) => {
    let over = false;
    let finished = false;
    let error: unknown;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const finish = (): void => {
      finished = true;
      clearTimeout(timer);
      const { claimed, fresh, unclaimed } = claims;
      end({ claimed, fresh, unclaimed, error });
    };
    const quiet = (): void => {
      // A branch may be waiting for something of its own before it asks.
      const more = claims.fresh.length === 0 && ledger.phase.kind === "advance" && !over;
      if (claims.unclaimed.size > 0 || more) timer ??= setTimeout(finish, patience);
      else finish();
    };
    const claims = new Claims(ledger.slots, { quiet, unreadable: finish });
    const ended = (): void => {
      over = true;
      void claims.watch();
    };
    const host: StepHost = {
      request: (step) =>
        new Promise((resolve, reject) => {
          if (finished) return reject(new TypeError(`A rollback can't contain step "${step.name}".`));
          claims.take({ step, resolve: resolve as Asked["resolve"], reject });
          void claims.watch();
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
