import type { PublishMessage } from "../rules/command.ts";
import { nextOf, type TickState, tickCommands } from "../rules/schedule.ts";
import * as inOrder from "../store/in-order.ts";
import { scheduleOf } from "../store/tables/schedules.ts";
import { sql, type Tx } from "../store/tx.ts";
import type { Locks } from "./claim-locks.ts";
import { findDuplicate, keyOfDuplicates } from "./find-duplicate.ts";
import { insertMessage } from "./insert-message.ts";
import { getUrlGroup } from "./url-groups.ts";

/** Schedules that one claim makes messages for at most. */
const MAX_TICKS_AT_ONCE = 1000;

/** Takes the locks that messages need, without waiting. @returns whether it has them all */
async function takeAll(locks: Locks, commands: readonly PublishMessage[]): Promise<boolean> {
  for (const { message, deduplication } of commands) {
    const key = deduplication ? keyOfDuplicates(deduplication) : null;
    const { queue = null, flow } = message;
    const taken =
      (await locks.take("deduplication", key)) &&
      (await locks.take("queue", queue)) &&
      (await locks.take("flow", flow?.key ?? null));
    if (!taken) return false;
  }
  return true;
}

/**
 * Stores the messages of the schedules whose time has come, with the time of each schedule's next tick. After ticks that
 * were missed while no engine ran, a schedule ticks once.
 */
export async function makeScheduledMessages(tx: Tx, locks: Locks): Promise<void> {
  const rows = await tx.all<{ id: string }>(
    sql`SELECT id FROM schedules WHERE next_at <= ${tx.now} ORDER BY next_at, key LIMIT ${MAX_TICKS_AT_ONCE}`,
  );
  for (const { id } of rows) {
    if (!(await locks.take("schedule", id))) continue;
    // Another engine may have made this tick before the lock.
    const schedule = await scheduleOf(tx, id);
    if (schedule?.nextAt === undefined || schedule.nextAt > tx.now) continue;
    const commands = tickCommands(schedule, await getUrlGroup(tx, schedule.destination), tx.now);
    if (!(await takeAll(locks, commands))) continue;
    const unique = await inOrder.filter(commands, async (command) => !(await findDuplicate(tx, command)));
    for (const { message } of unique) await insertMessage(tx, message);
    await tx.lock("tick", id);
    const states = unique.map(({ message }): [string, TickState] => [message.id, "IN_PROGRESS"]);
    await tx.run(
      sql`UPDATE schedules SET last_at = ${tx.now}, next_at = ${nextOf(schedule, tx.now) ?? null},
        last_states = ${JSON.stringify(Object.fromEntries(states))} WHERE id = ${id}`,
    );
  }
}
