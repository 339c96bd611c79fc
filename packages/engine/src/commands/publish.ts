import type { Command, PublishMessage, StartRun } from "../rules/command.ts";
import type { QueueLimits } from "../rules/queue.ts";
import * as inOrder from "../store/in-order.ts";
import type { Receipt } from "../store/receipt.ts";
import { IS_LIVE } from "../store/tables/runs.ts";
import { lockAll, sql, strings, type Tx } from "../store/tx.ts";
import { appendRecord } from "./append-record.ts";
import { ensureQueue } from "./ensure-queue.ts";
import { findDuplicate, keyOfDuplicates } from "./find-duplicate.ts";
import { insertMessage } from "./insert-message.ts";
import { receipt } from "./receipt.ts";
import { startRun } from "./start-run.ts";
import { isPlainStart, startRuns } from "./start-runs.ts";

type Limits = Partial<QueueLimits>;

/** Stores what a request publishes: messages, starts of runs, and records and calls of live runs. All of it, or nothing. */
export async function publish(tx: Tx, commands: readonly Command[], limits: Limits = {}): Promise<Receipt[]> {
  await lockFor(tx, commands);
  const store = (command: Command): Promise<Receipt> => publishOne(tx, command, limits);
  if (!commands.every(isIndependent)) return inOrder.map(commands, store);
  const starts = startsOfDifferentRuns(commands);
  const together = new Set<Command>(starts);
  const others = commands.filter((one) => !together.has(one));
  const [started = [], stored = []] = await inOrder.mapSideBySide(
    [
      () => startRuns(tx, starts),
      () => inOrder.mapByKey(others, (one) => (one.kind === "start" ? one.run.id : one.message.id), store),
    ],
    (work) => work(),
  );
  const [ofStarts, ofOthers] = [started.values(), stored.values()];
  return commands.map((one) => (together.has(one) ? ofStarts : ofOthers).next().value as Receipt);
}

function startsOfDifferentRuns(commands: readonly Command[]): StartRun[] {
  const starts = commands.filter((one): one is StartRun => one.kind === "start" && isPlainStart(one));
  const times = new Map<string, number>();
  for (const { run } of starts) times.set(run.id, (times.get(run.id) ?? 0) + 1);
  return starts.filter(({ run }) => times.get(run.id) === 1);
}

/** Whether a command reads and writes nothing that another one does, but a start of the same run. */
function isIndependent(command: Command): boolean {
  const { queue, flow } = command.message;
  if (queue !== undefined || flow) return false;
  if (command.kind === "start") return !command.configuresRun && command.run.invoker === undefined;
  return command.kind === "message" && command.deduplication === undefined;
}

/** Takes all locks that the commands need, in their order, before any of them changes a row. */
async function lockFor(tx: Tx, commands: readonly Command[]): Promise<void> {
  const messages = commands.filter((command) => command.kind === "message");
  const starts = commands.filter((command) => command.kind === "start");
  // A run is locked before the run that invokes it.
  await lockAll(tx, { run: starts.map(({ run }) => run.id) });
  await lockAll(tx, { run: commands.flatMap(otherRunOf) });
  const configured = starts.flatMap(({ run, configuresRun }) => (configuresRun ? run.id : []));
  await lockAll(tx, {
    deduplication: messages.flatMap(({ deduplication }) =>
      deduplication ? keyOfDuplicates(deduplication) : [],
    ),
    queue: messages.map(({ message }) => message.queue),
    flow: [...commands.map(({ message }) => message.flow?.key), ...(await flowKeysOf(tx, configured))],
  });
}

/** The run that a command changes beside the one that it starts. */
function otherRunOf(command: Command): string[] {
  if (command.kind === "start") return command.run.invoker ? [command.run.invoker.runId] : [];
  return command.kind === "message" ? [] : [command.runId];
}

/** The flow control keys that live runs have until now: the messages that wait for them end with their configuration. */
async function flowKeysOf(tx: Tx, runIds: readonly string[]): Promise<(string | null)[]> {
  if (runIds.length === 0) return [];
  const rows = await tx.all<{ flow_key: string | null }>(
    sql`SELECT flow_key FROM runs WHERE id IN (${strings(runIds)}) AND ${IS_LIVE}`,
  );
  return rows.map(({ flow_key }) => flow_key);
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
