import type { Intake, PlainIntake } from "../rules/intake.ts";
import type { QueueLimits } from "../rules/queue.ts";
import * as inOrder from "../store/in-order.ts";
import type { Receipt } from "../store/store.ts";
import type { Tx } from "../store/tx.ts";
import { appendRecord } from "./append-record.ts";
import { knownAgain } from "./deduplicate.ts";
import { insertMessage } from "./messages.ts";
import { ensureQueue } from "./queue-places.ts";
import { receipt } from "./receipt.ts";
import { startRun } from "./start-run.ts";

type Limits = Partial<QueueLimits>;

/** Stores what is published: messages, starts of runs, and records and calls of live runs. All of it, or nothing. */
export async function publish(tx: Tx, intakes: readonly Intake[], limits: Limits = {}): Promise<Receipt[]> {
  return inOrder.map(intakes, (intake) => publishOne(tx, intake, limits));
}

async function publishOne(tx: Tx, intake: Intake, limits: Limits): Promise<Receipt> {
  switch (intake.kind) {
    case "message":
      return publishMessage(tx, intake, limits);
    case "start":
      return startRun(tx, intake);
    case "append":
    case "call":
      return appendRecord(tx, intake);
  }
}

async function publishMessage(tx: Tx, intake: PlainIntake, limits: Limits): Promise<Receipt> {
  const known = await knownAgain(tx, intake);
  if (known) return known;
  const { message } = intake;
  if (message.queue !== undefined) await ensureQueue(tx, message.queue, limits.queues);
  await insertMessage(tx, message);
  return receipt(message, undefined, false);
}
