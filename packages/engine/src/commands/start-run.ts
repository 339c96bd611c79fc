import type { StartRun } from "../rules/command.ts";
import { EngineError } from "../rules/engine-error.ts";
import { excerptOf } from "../rules/event.ts";
import { type Invoker, inherit, isLive, type NewRun, type Run, reconfigure } from "../rules/run.ts";
import { decideStart, type StartDecision } from "../rules/start.ts";
import type { Receipt } from "../store/receipt.ts";
import { finishMessages } from "../store/tables/due.ts";
import { entryMessage, FIRST_RECORD } from "../store/tables/entries.ts";
import { deadlineOf, insertRun, labelRun, latestRun, lockRun, notLive, runOf } from "../store/tables/runs.ts";
import { sql, type Tx } from "../store/tx.ts";
import { insertEntry } from "./insert-entry.ts";
import { insertMessage } from "./insert-message.ts";
import { receipt } from "./receipt.ts";
import { releaseThrottled } from "./release-throttled.ts";

/**
 * Starts a run, unless the request repeats an earlier one: then the receipt names the run of that one.
 *
 * @throws EngineError `conflict` when the run that the request configures, or that invokes it, isn't live
 */
export async function startRun(tx: Tx, command: StartRun): Promise<Receipt> {
  // 1. Read, under the locks of both runs.
  const { run: newRun, configuresRun } = command;
  const { invoker } = newRun;
  await tx.lock("run", newRun.id);
  const latest = await latestRun(tx, newRun.id);
  const live = latest && isLive(latest) ? latest : undefined;
  const parent = invoker && (await liveInvoker(tx, invoker));
  const child = parent && (await childOf(tx, parent, command));
  // 2. Decide.
  const decision = decideStart({
    newRun,
    configuresRun,
    live,
    latest,
    invoker: !invoker ? "none" : parent ? "live" : "not live",
    invokedBefore: child !== undefined,
  });
  // 3. Write.
  if (decision === "configure" && live) return configure(tx, live, command);
  if (decision === "repeat invocation" && child) return child;
  if (decision === "repeat" && latest) return repeated(tx, latest);
  if (decision !== "start") throw await refusal(tx, decision, newRun);
  const run = await insertRun(tx, newRun, { parent, previous: latest });
  const entry = { key: FIRST_RECORD, callType: "step", body: command.payload } as const;
  await insertEntry(tx, run, entry, command.message);
  tx.record({ type: "run.started", runId: run.id, url: run.url, payload: excerptOf(command.payload) });
  return receipt(command.message, run, false);
}

async function refusal(tx: Tx, decision: StartDecision, { id, invoker }: NewRun): Promise<EngineError> {
  if (decision === "invoker is not live" && invoker) {
    return notLive(tx, invoker.runId, "it can't invoke another one");
  }
  if (decision === "id is taken") {
    return new EngineError(
      "conflict",
      `workflow run ${id} is live already: run ${invoker?.runId} can't invoke it`,
    );
  }
  return notLive(tx, id, "it can't be configured");
}

/** The receipt of the request that started a run. */
export async function repeated(tx: Tx, run: Run): Promise<Receipt> {
  const id = (await entryMessage(tx, run.key, FIRST_RECORD)) ?? "";
  return receipt({ id, url: run.url }, run, true);
}

/** The live run that invokes another one; `undefined` when the request means an earlier run of its id. */
async function liveInvoker(tx: Tx, { runId, createdAt }: Invoker): Promise<Run | undefined> {
  const run = await lockRun(tx, runId);
  return run && (createdAt === 0 || createdAt === run.createdAt) ? run : undefined;
}

/** The receipt of what the step has invoked before: an endpoint that didn't get the answer repeats the request. */
async function childOf(tx: Tx, parent: Run, { run }: StartRun): Promise<Receipt | undefined> {
  const key = run.invoker?.key ?? "";
  const row = await tx.one<{ key: number }>(
    sql`SELECT key FROM runs WHERE parent = ${parent.key} AND parent_record = ${key}`,
  );
  const child = row && (await runOf(tx, row.key));
  if (child) return repeated(tx, child);
  const recorded = await entryMessage(tx, parent.key, key);
  return recorded === undefined ? undefined : receipt({ id: recorded, url: run.url }, undefined, true);
}

/** Configures a run that awaits it: replaces the delivery that announced the run by a delivery that starts it. */
async function configure(tx: Tx, live: Run, command: StartRun): Promise<Receipt> {
  const config = reconfigure(live.config, command.run.config);
  const deadline = deadlineOf(live.createdAt, config);
  tx.send(
    sql`UPDATE runs SET awaiting_configuration = 0, config = ${JSON.stringify(config)}, flow_key = ${config.flow?.key ?? null},
      deadline = ${deadline} WHERE key = ${live.key}`,
  );
  tx.send(sql`DELETE FROM run_labels WHERE run = ${live.key}`);
  await labelRun(tx, live.key, config.labels);
  if (deadline !== null) tx.wakeAt(deadline);
  const changes = await finishMessages(tx, sql`run = ${live.key}`, {
    outcome: "DELIVERED",
    deleteAfter: command.message.createdAt,
  });
  tx.count({ of: "delivery", state: "DELIVERED", count: changes });
  // The delivery no longer counts toward the limit of its key.
  if (await releaseThrottled(tx, live.config.flow?.key ?? null)) tx.wakeAt(command.message.createdAt);
  const entry = (await tx.one<{ seq: number }>(
    sql`UPDATE entries SET message = ${command.message.id} WHERE run = ${live.key} AND record = ${FIRST_RECORD} RETURNING seq`,
  )) as { seq: number };
  await insertMessage(tx, inherit(command.message, { ...live, config }), { run: live.key, entry: entry.seq });
  return receipt(command.message, live, false);
}
