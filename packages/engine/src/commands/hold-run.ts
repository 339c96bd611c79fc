import type { MessageKind } from "../rules/message.ts";
import { STATUS } from "../rules/message-status.ts";
import type { Run, RunState } from "../rules/run.ts";
import { formatLease, inProgressUnder } from "../rules/run-lease.ts";
import { FIRST_RECORD } from "../store/tables/entries.ts";
import type { MessageRow } from "../store/tables/rows.ts";
import type { RunWithEnd } from "../store/tables/runs.ts";
import { forEach, sql, type Tx } from "../store/tx.ts";

const STEP: MessageKind = "step";

/** The rights of a delivery of a live run. */
export type Offer =
  /** The run's endpoint runs inline, and another delivery is in progress: this one isn't needed. */
  | { readonly kind: "held" }
  /** The delivery carries the history up to its own entry, as in engines without inline execution. */
  | { readonly kind: "plain" }
  /** The delivery carries the whole history and the right to append. */
  | { readonly kind: "lease"; readonly token: string; readonly entry: number; readonly row: OfferRow };

/** The row of `run_leases` of an offer. */
export interface OfferRow {
  readonly run: number;
  readonly number: number;
  readonly holder: number;
  readonly steps: string;
}

/**
 * Offers the right to append to a delivery that is being claimed. {@link sendOffers} takes it from all that had it before.
 *
 * A run whose endpoint hasn't taken the right yet is offered it only where the whole history is what the delivery carries
 * anyway, and, after the first delivery, only where the endpoint is known to be one of Perdure's: other SDKs rely on
 * deliveries that end with their own entry.
 *
 * A run with a flow-control key isn't offered it: the key limits deliveries, and so it limits the run's steps only where
 * each step has a delivery of its own.
 */
export function offerLease(tx: Tx, { seq, entry }: MessageRow, { run, last }: RunWithEnd): Offer {
  if (run.inline && run.holder !== undefined && run.holder !== seq) return { kind: "held" };
  if (run.awaitingConfiguration || run.config.flow) return { kind: "plain" };
  if (!last) return { kind: "plain" };
  const known = run.capabilities !== undefined || last.record === FIRST_RECORD;
  if (!run.inline && !(known && last.seq === entry)) return { kind: "plain" };
  const number = run.leaseNumber + 1;
  // The last invocation hasn't said how it ended.
  if (run.inline && run.inProgress) tx.count({ of: "inline", state: "takeovers", count: 1 });
  return {
    kind: "lease",
    token: formatLease({ runId: run.id, createdAt: run.createdAt, number }),
    entry: last.seq,
    row: {
      run: run.key,
      number,
      holder: seq,
      steps: JSON.stringify(inProgressUnder(number, run.inProgress)),
    },
  };
}

/** Stores offers. The deliveries carry the whole histories. */
export function sendOffers(tx: Tx, offers: readonly Extract<Offer, { kind: "lease" }>[]): void {
  const leases = offers.map(({ row }) => row);
  tx.sendForEach(
    forEach({ run: "number", number: "number", holder: "number", steps: "string" }, leases, (row, from) => {
      // With the condition, the conflict's ON can't be that of a join.
      return sql`INSERT INTO run_leases (run, number, holder, in_progress)
        SELECT ${row.run}, ${row.number}, ${row.holder}, ${row.steps}${from} WHERE true
        ON CONFLICT (run) DO UPDATE SET number = excluded.number, holder = excluded.holder, invocation = NULL,
          in_progress = excluded.in_progress`;
    }),
  );
}

/** The state in which an invocation leaves its run. */
export interface Leaving {
  /** True when the invocation has said how it ended, so that no step is in progress. */
  readonly orderly: boolean;
  /** Whether the run's endpoint runs inline. */
  readonly inline: boolean;
}

/** Ends the right of a message to append. Does nothing where another message has it. */
export async function leaveRun(
  tx: Tx,
  run: Run,
  message: number,
  { orderly, inline }: Leaving,
): Promise<void> {
  if (run.holder !== message) return;
  const inProgress = orderly ? null : (run.inProgress ?? null);
  tx.send(
    sql`UPDATE run_leases SET holder = NULL, in_progress = ${inProgress && JSON.stringify(inProgress)}
      WHERE run = ${run.key} AND holder = ${message}`,
  );
  if (run.inline !== inline) noteInline(tx, [run.key], inline);
}

/** Notes whether the endpoints of runs run them inline. */
export function noteInline(tx: Tx, runs: readonly number[], inline: boolean): void {
  const rows = runs.map((run) => ({ run }));
  tx.sendForEach(
    forEach({ run: "number" }, rows, (row, from) => {
      return sql`UPDATE runs SET inline = ${inline ? 1 : 0}${from} WHERE runs.key = ${row.run}`;
    }),
  );
}

/**
 * Ends the right to append to a run that has ended. The report of a failure or a cancellation reads the steps that may
 * have begun; a successful run needs nothing of its lease.
 */
export async function endLease(tx: Tx, run: number, state: RunState): Promise<void> {
  if (state === "RUN_SUCCESS") tx.send(sql`DELETE FROM run_leases WHERE run = ${run}`);
  else tx.send(sql`UPDATE run_leases SET holder = NULL WHERE run = ${run}`);
}

/** Ends the right to append of a delivery that is given back or cancelled. */
export async function endHold(tx: Tx, { run, seq }: Pick<MessageRow, "run" | "seq">): Promise<void> {
  if (run !== null) tx.send(sql`UPDATE run_leases SET holder = NULL WHERE run = ${run} AND holder = ${seq}`);
}

/** Ends the rights of all deliveries in progress, after the engine that made them has died. */
export async function endAllHolds(tx: Tx): Promise<void> {
  tx.send(
    sql`UPDATE run_leases SET holder = NULL WHERE holder IS NOT NULL
      AND run IN (SELECT run FROM due WHERE status = ${STATUS.delivering} AND kind = ${STEP})`,
  );
}

/** Notes that a run's endpoint no longer runs it inline: each of its entries gets a delivery again. */
export async function leaveInline(tx: Tx, run: Run): Promise<void> {
  noteInline(tx, [run.key], false);
  tx.count({ of: "inline", state: "fallbacks", count: 1 });
}
