import type { Command, PublishMessage } from "../rules/command.ts";
import type { QueueLimits } from "../rules/queue.ts";
import * as inOrder from "../store/in-order.ts";
import type { Receipt } from "../store/receipt.ts";
import type { Tx } from "../store/tx.ts";
import { appendRecord } from "./append-record.ts";
import { ensureQueue } from "./ensure-queue.ts";
import { findDuplicate } from "./find-duplicate.ts";
import { insertMessage } from "./insert-message.ts";
import { receipt } from "./receipt.ts";
import { startRun } from "./start-run.ts";

type Limits = Partial<QueueLimits>;

/** Stores what a request publishes: messages, starts of runs, and records and calls of live runs. All of it, or nothing. */
export async function publish(tx: Tx, commands: readonly Command[], limits: Limits = {}): Promise<Receipt[]> {
  return inOrder.map(commands, (command) => publishOne(tx, command, limits));
}

async function publishOne(tx: Tx, command: Command, limits: Limits): Promise<Receipt> {
  switch (command.kind) {
    case "message":
      return publishMessage(tx, command, limits);
    case "start":
      return startRun(tx, command);
    case "append":
    case "call":
      return appendRecord(tx, command);
  }
}

async function publishMessage(tx: Tx, command: PublishMessage, limits: Limits): Promise<Receipt> {
  const known = await findDuplicate(tx, command);
  if (known) return known;
  const { message } = command;
  if (message.queue !== undefined) await ensureQueue(tx, message.queue, limits.queues);
  await insertMessage(tx, message);
  return receipt(message, undefined, false);
}
