import { EngineError } from "../rules/engine-error.ts";
import { begunAt, type FlowChange, type FlowControl, pinLimits } from "../rules/flow-control.ts";
import { STATUS } from "../rules/message-status.ts";
import * as inOrder from "../store/in-order.ts";
import { type FlowRow, flowOf, IS_ADMITTED, toLimits } from "../store/tables/flows.ts";
import { POSITION, type Sql, sql, type Tx } from "../store/tx.ts";
import { releaseAllThrottled } from "./release-throttled.ts";

/** Milliseconds of a period of a key that no message has named yet. */
const DEFAULT_PERIOD = 1000;

/** Rows that the engine reads at most to count the messages that wait for room: it takes milliseconds. */
const MAX_COUNTED = 10_000;

/** Numbers of messages, {@link MAX_COUNTED} each at most. */
export interface RoomWaiters {
  /** Due, but not begun. */
  readonly due: number;
  /** Held back, because their destination has no room. */
  readonly aside: number;
}

/** The flow control keys that hold `search`, by key. */
export async function listFlows(tx: Tx, search = ""): Promise<FlowControl[]> {
  const rows = await tx.many<FlowRow>(
    sql`SELECT * FROM flows WHERE ${POSITION}(key, ${search}) > 0 ORDER BY key`,
  );
  return inOrder.map(rows, (row) => toFlow(tx, row));
}

export async function getFlow(tx: Tx, key: string): Promise<FlowControl | undefined> {
  const row = await flowOf(tx, key);
  return row && toFlow(tx, row);
}

async function toFlow(tx: Tx, row: FlowRow): Promise<FlowControl> {
  const { active, waiting } = (await tx.one<{ active: number; waiting: number }>(sql`SELECT
    (SELECT count(*) FROM due WHERE flow_key = ${row.key} AND ${IS_ADMITTED}) AS active,
    (SELECT count(*) FROM due WHERE flow_key = ${row.key} AND status = ${STATUS.throttled}) AS waiting`)) as {
    active: number;
    waiting: number;
  };
  const limits = toLimits(row);
  const { began_at: beganAt, begun } = row;
  return {
    ...limits,
    key: row.key,
    paused: row.paused === 1,
    beganAt,
    begun: begunAt({ beganAt, begun, period: limits.period }, tx.now),
    active,
    waiting,
  };
}

/** Counts the messages without a key that wait for room and for nothing else, among the first that are due. */
export async function waitingForRoom(tx: Tx): Promise<RoomWaiters> {
  const count = async (where: Sql, of: Sql): Promise<number> => {
    const row = await tx.one<{ count: number }>(
      sql`SELECT count(*) AS count FROM
        (SELECT flow_key, status FROM due WHERE ${where} LIMIT ${MAX_COUNTED}) AS counted
        WHERE flow_key IS NULL AND ${of}`,
    );
    return row?.count ?? 0;
  };
  return {
    // A message whose lease has run out doesn't wait for room.
    due: await count(sql`at <= ${tx.now}`, sql`status <> ${STATUS.delivering}`),
    aside: await count(sql`destination IS NOT NULL`, sql`status = ${STATUS.deferred}`),
  };
}

/** Changes a key. A pause or a pin creates a key that doesn't exist. @throws EngineError `not_found` */
export async function changeFlow(tx: Tx, key: string, change: FlowChange): Promise<void> {
  await tx.lock("flow", key);
  if (!(await flowOf(tx, key))) {
    if (change.kind !== "pause" && change.kind !== "pin") throw unused(key);
    await tx.run(sql`INSERT INTO flows (key, period) VALUES (${key}, ${DEFAULT_PERIOD})`);
  }
  await tx.run(sql`UPDATE flows SET used_at = ${tx.now} WHERE key = ${key}`);
  const row = await flowOf(tx, key);
  if (!row) throw unused(key);
  switch (change.kind) {
    case "pause":
      await tx.run(sql`UPDATE flows SET paused = 1, wake_at = NULL WHERE key = ${key}`);
      return;
    case "resume":
      await tx.run(sql`UPDATE flows SET paused = 0 WHERE key = ${key}`);
      break;
    case "pin":
      await pinFlow(tx, row, change);
      await resetRate(tx, key);
      break;
    case "unpin":
      if (change.parallelism) await tx.run(sql`UPDATE flows SET pinned_parallelism = 0 WHERE key = ${key}`);
      if (change.rate) await tx.run(sql`UPDATE flows SET pinned_rate = 0 WHERE key = ${key}`);
      return;
    case "reset":
      await resetRate(tx, key);
      break;
    default:
      return change satisfies never;
  }
  if (await releaseAllThrottled(tx, key)) tx.wakeAt(tx.now);
}

function unused(key: string): EngineError {
  return new EngineError("not_found", `flow control key ${key} not found: no message has used it`);
}

async function pinFlow(tx: Tx, row: FlowRow, change: Extract<FlowChange, { kind: "pin" }>): Promise<void> {
  const pinned = pinLimits(toLimits(row), change);
  await tx.run(sql`UPDATE flows SET parallelism = ${pinned.parallelism ?? null}, rate = ${pinned.rate ?? null}, period = ${pinned.period}, pinned_parallelism = ${pinned.pinnedParallelism ? 1 : 0}, pinned_rate = ${pinned.pinnedRate ? 1 : 0}
     WHERE key = ${row.key}`);
}

async function resetRate(tx: Tx, key: string): Promise<void> {
  await tx.run(sql`UPDATE flows SET began_at = ${tx.now}, begun = 0, wake_at = NULL WHERE key = ${key}`);
}
