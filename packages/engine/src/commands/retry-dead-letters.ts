import { EngineError } from "../rules/engine-error.ts";
import type { Options } from "../rules/options.ts";
import type { QueueLimits } from "../rules/queue.ts";
import { republish } from "../rules/republish.ts";
import * as inOrder from "../store/in-order.ts";
import type { DeadLetterQuery, RetriedMessages } from "../store/lists.ts";
import { lockAll, sql, type Tx } from "../store/tx.ts";
import { ensureQueue } from "./ensure-queue.ts";
import { insertMessage } from "./insert-message.ts";
import { lockDeadLetters } from "./lock-dead-letters.ts";
import { deleteDeadLetter } from "./remove-dead-letters.ts";

/**
 * Publishes the messages of dead letters again, as new messages, and deletes the dead letters.
 *
 * @throws EngineError `limit_reached` for one queue too many
 */
export async function retryDeadLetters(
  tx: Tx,
  query: DeadLetterQuery,
  options: Options,
  limits: Partial<QueueLimits> = {},
): Promise<RetriedMessages> {
  const { items, next } = await lockDeadLetters(tx, { ...query, ofMessages: true });
  const retried = items.map(({ dlqId, message }) => ({
    dlqId,
    message,
    again: republish(message, options, tx.now),
  }));
  await lockAll(tx, {
    queue: retried.map(({ again }) => again.queue),
    flow: retried.map(({ again }) => again.flow?.key),
  });
  const messages = await inOrder.map(retried, async ({ dlqId, message, again }) => {
    if (again.queue !== undefined) await ensureQueue(tx, again.queue, limits.queues);
    const seq = await insertMessage(tx, again);
    // A message may be the report of another dead letter: the new message is the report from now on.
    await tx.run(sql`UPDATE dlq SET callback = ${seq} WHERE callback = ${message.seq}`);
    await deleteDeadLetter(tx, dlqId);
    return { id: again.id, url: again.url };
  });
  return { messages, next };
}

/**
 * Publishes the message of one dead letter again.
 *
 * @throws EngineError `not_found` for one of a run; `limit_reached` for one queue too many
 */
export async function retryDeadLetter(
  tx: Tx,
  dlqId: string,
  options: Options,
  limits: Partial<QueueLimits>,
): Promise<RetriedMessages["messages"][number]> {
  const [message] = (await retryDeadLetters(tx, { dlqIds: [dlqId], count: 1 }, options, limits)).messages;
  if (message) return message;
  throw new EngineError(
    "not_found",
    `dead letter ${dlqId} of a message not found; resume or restart the dead letter of a workflow run`,
  );
}
