import { isRollingBack, rollbacksOf, startedSteps } from "../queries/rollbacks.ts";
import { stepsUnderWay } from "../queries/steps-under-way.ts";
import { isPostRun } from "../rules/message.ts";
import { STATUS, transition } from "../rules/message-status.ts";
import type { Run } from "../rules/run.ts";
import type { ClaimOrder } from "../store/claim-order.ts";
import type { Claim } from "../store/claims.ts";
import * as inOrder from "../store/in-order.ts";
import { type ClaimedEntries, type ClaimedPart, claimedEntries, history } from "../store/tables/entries.ts";
import { logEach } from "../store/tables/logs.ts";
import { type MessageRow, toMessage } from "../store/tables/rows.ts";
import { type RunWithEnd, runsWithEnds } from "../store/tables/runs.ts";
import { forEach, sql, type Tx } from "../store/tx.ts";
import { type Offer, offerLease, sendOffers } from "./hold-run.ts";
import { queueOfPlace } from "./queue-places.ts";
import { releaseThrottled } from "./release-throttled.ts";
import { finishDelivery } from "./step-delivery.ts";

/** A message with the lease of this claim. */
export interface Leased {
  readonly found: MessageRow;
  /** The message as it is from now on. */
  readonly row: MessageRow;
  readonly run: Run | undefined;
  readonly offer: Exclude<Offer, { kind: "held" }>;
}

interface Leasing {
  readonly order: ClaimOrder;
  /** Runs that the claim has read. A lease changes its run, which the next one of the same run reads again. */
  readonly runs: Map<number, RunWithEnd>;
}

/**
 * Leases messages, those of one run one after the other, in a handful of statements however many they are:
 *
 * 1. Offers to append to their runs are decided on. A delivery whose run another one holds isn't needed.
 * 2. The leases are sent, those of the deliveries and those of the runs: {@link claimsOf} waits for them.
 *
 * @returns the messages in their order, without deliveries that aren't needed
 */
export async function leaseMessages(
  tx: Tx,
  messages: readonly MessageRow[],
  leasing: Leasing,
): Promise<Leased[]> {
  const leased = new Map<number, Leased>();
  const rounds = inOrder.rounds(messages, ({ run, seq }) => (run === null ? `message ${seq}` : `run ${run}`));
  for (const round of rounds) {
    const found = round.map((at) => messages[at] as MessageRow);
    for (const [nth, one] of (await leaseRound(tx, found, leasing)).entries())
      if (one) leased.set(round[nth] as number, one);
  }
  return messages.flatMap((_, at) => leased.get(at) ?? []);
}

/** Leases messages of different runs. */
async function leaseRound(
  tx: Tx,
  messages: readonly MessageRow[],
  { order, runs: known }: Leasing,
): Promise<(Leased | undefined)[]> {
  const keys = messages.flatMap(({ run }) => run ?? []);
  const read = await runsWithEnds(
    tx,
    keys.filter((key) => !known.has(key)),
  );
  const runs = new Map([...known, ...read]);
  for (const key of keys) known.delete(key);
  const leased = await inOrder.map(messages, (message) => offerTo(tx, message, { runs, order }));
  const kept = leased.filter((one) => one !== undefined);
  sendLeases(tx, kept, order);
  logEach(
    tx,
    kept.map(({ row }) => row),
    "ACTIVE",
  );
  return leased;
}

/** The claims of leased messages, in their order, with the entries that the deliveries carry. */
export async function claimsOf(tx: Tx, leased: readonly Leased[]): Promise<Claim[]> {
  const entries = await entriesOf(tx, leased);
  return inOrder.mapSideBySide(leased, (one, at) => toClaim(tx, one, entries[at] ?? NO_ENTRIES));
}

interface Offering {
  readonly runs: ReadonlyMap<number, RunWithEnd>;
  readonly order: ClaimOrder;
}

/** @returns nothing for a delivery that isn't needed, because another one holds its run */
async function offerTo(tx: Tx, found: MessageRow, { runs, order }: Offering): Promise<Leased | undefined> {
  const known = found.run === null ? undefined : runs.get(found.run);
  const offer: Offer = known && found.kind === "step" ? offerLease(tx, found, known) : { kind: "plain" };
  if (offer.kind === "held") {
    // The invocation that holds the run learns of the entry by itself.
    await finishDelivery(tx, found);
    if (await releaseThrottled(tx, found.flow_key)) tx.wakeAt(tx.now);
    return undefined;
  }
  const status = transition(found.status, "claim", found.retried);
  const entry = offer.kind === "lease" ? offer.entry : found.entry;
  const row: MessageRow = { ...found, entry, status, at: order.leaseUntil, fence: found.fence + 1 };
  return { found, row, run: known?.run, offer };
}

function sendLeases(tx: Tx, leased: readonly Leased[], { leaseUntil, owner = "" }: ClaimOrder): void {
  sendOffers(
    tx,
    leased.flatMap(({ offer }) => (offer.kind === "lease" ? offer : [])),
  );
  const moved = leased.filter(({ found, row }) => found.entry !== row.entry);
  tx.sendForEach(
    forEach({ message: "number", entry: "number" }, moved.map(toEntryRow), (row, from) => {
      return sql`UPDATE messages SET entry = ${row.entry}${from} WHERE messages.seq = ${row.message}`;
    }),
  );
  const rows = leased.map(({ row: { seq: message, status } }) => ({ message, status }));
  tx.sendForEach(
    forEach({ message: "number", status: "string" }, rows, (row, from) => {
      return sql`UPDATE due SET status = ${row.status}, at = ${leaseUntil}, fence = fence + 1, owner = ${owner}${from}
        WHERE due.message = ${row.message}`;
    }),
  );
}

function toEntryRow({ row: { seq: message, entry } }: Leased): { message: number; entry: number | null } {
  return { message, entry };
}

async function toClaim(tx: Tx, { found, row, run, offer }: Leased, read: ClaimedEntries): Promise<Claim> {
  const queue = row.queue ?? (await queueOfPlace(tx, row.place));
  const whole = row.run !== null && isPostRun(row.kind) ? await history(tx, row.run) : undefined;
  const entries = whole ?? read.entries;
  return {
    lease: {
      seq: row.seq,
      messageId: row.id,
      runId: run?.id,
      run: row.run,
      runLease: offer.kind === "lease" ? offer.row.number : undefined,
      invoker: run?.invoker?.runId,
      fence: row.fence,
      queue,
      flowKey: row.flow_key,
    },
    dueAt: found.status === STATUS.delivering ? undefined : (found.at ?? undefined),
    holdable: queue !== null || row.flow_key !== null || found.status === STATUS.ready,
    message: toMessage(row),
    run,
    runLease: offer.kind === "lease" ? offer.token : undefined,
    first: row.kind === "step" && entries.length === 1,
    entries,
    omitted: read.omitted,
    step: read.step,
    ended: run && isPostRun(row.kind) ? await endedRun(tx, run, row) : undefined,
  };
}

/** The state of the rollbacks of a run, for a message that follows its end. */
async function endedRun(tx: Tx, run: Run, { kind }: MessageRow): Promise<Claim["ended"]> {
  return {
    rollbacks: await rollbacksOf(tx, run.key),
    started: await startedSteps(tx, run.key),
    ...(await stepsUnderWay(tx, run)),
    pending: kind === "failure" && (await isRollingBack(tx, run.key)),
  };
}

const NO_ENTRIES: ClaimedEntries = { entries: [], omitted: 0, step: undefined };

/** The entries that deliveries carry up to their own, by the places of the messages. */
async function entriesOf(tx: Tx, leased: readonly Leased[]): Promise<(ClaimedEntries | undefined)[]> {
  const parts = leased.map(({ row }) => partOf(row));
  const read = await claimedEntries(
    tx,
    parts.filter((part) => part !== undefined),
  );
  const entries = read.values();
  return parts.map((part) => part && (entries.next().value as ClaimedEntries));
}

function partOf({ run, entry, kind }: MessageRow): ClaimedPart | undefined {
  if (run === null || entry === null || isPostRun(kind)) return undefined;
  return { run, first: kind === "step" ? 0 : entry, last: entry };
}
