import type { Command, PublishMessage } from "../rules/command.ts";
import type { QueueLimits } from "../rules/queue.ts";
import * as inOrder from "../store/in-order.ts";
import type { Receipt } from "../store/receipt.ts";
import { lockAll, type Tx } from "../store/tx.ts";
import { appendRecord } from "./append-record.ts";
import { ensureQueue } from "./ensure-queue.ts";
import { findDuplicate, keyOfDuplicates } from "./find-duplicate.ts";
import { insertMessage } from "./insert-message.ts";
import { receipt } from "./receipt.ts";
import { startRun } from "./start-run.ts";

type Limits = Partial<QueueLimits>;

/** Stores what a request publishes: messages, starts of runs, and records and calls of live runs. All of it, or nothing. */
export async function publish(tx: Tx, commands: readonly Command[], limits: Limits = {}): Promise<Receipt[]> {
  await lockAll(tx, keysOf(commands));
  return inOrder.map(commands, (command) => publishOne(tx, command, limits));
}

/** The locks that messages need, so that they are taken in their order. A run's is taken by its own command. */
function keysOf(commands: readonly Command[]): Parameters<typeof lockAll>[1] {
  const messages = commands.filter((command) => command.kind === "message");
  const several = commands.length > 1;
  return {
    run: several ? commands.flatMap((one) => (one.kind === "message" ? [] : runIdsOf(one))) : [],
    deduplication: messages.flatMap(({ deduplication }) =>
      deduplication ? keyOfDuplicates(deduplication) : [],
    ),
    queue: messages.map(({ message }) => message.queue),
    flow: commands.map(({ message }) => message.flow?.key),
  };
}

function runIdsOf(command: Exclude<Command, PublishMessage>): string[] {
  if (command.kind !== "start") return [command.runId];
  const { id, invoker } = command.run;
  return invoker ? [id, invoker.runId] : [id];
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
