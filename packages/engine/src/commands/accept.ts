import { isPlan } from "@perdure/core/protocol";
import type { CallIntake } from "../rules/call.ts";
import { excerptOf } from "../rules/event.ts";
import type { AppendIntake, Intake, StartIntake } from "../rules/intake.ts";
import type { Draft } from "../rules/message.ts";
import { Problem } from "../rules/problem.ts";
import type { QueueLimits } from "../rules/queue.ts";
import { inherit, isNamedAfterMessage, isSameTrigger, type Run, reconfigure } from "../rules/run.ts";
import * as inOrder from "../store/in-order.ts";
import type { Receipt } from "../store/store.ts";
import { finishMessages } from "../store/tables/due.ts";
import { FIRST_RECORD } from "../store/tables/entries.ts";
import { deadlineOf, insertRun, labelRun, latestRun, notLive } from "../store/tables/runs.ts";
import { sql, type Tx } from "../store/tx.ts";
import { knownAgain } from "./deduplicate.ts";
import { letGo } from "./flow-limits.ts";
import { entryMessage, insertEntry, insertMessage, lockRun, runOf } from "./messages.ts";
import { ensureQueue } from "./queue-places.ts";
import { addWebhook } from "./waits.ts";

export async function accept(
  tx: Tx,
  intakes: readonly Intake[],
  limits: Partial<QueueLimits> = {},
): Promise<Receipt[]> {
  return await inOrder.map(intakes, async (intake) => await acceptOne(tx, intake, limits));
}

async function acceptOne(tx: Tx, intake: Intake, limits: Partial<QueueLimits>): Promise<Receipt> {
  switch (intake.kind) {
    case "message": {
      const known = await knownAgain(tx, intake);
      if (known) return known;
      if (intake.message.queue !== undefined) {
        await ensureQueue(tx, intake.message.queue, limits.queues);
      }
      await insertMessage(tx, intake.message);
      return receipt(intake.message, undefined, false);
    }
    case "start":
      return await start(tx, intake);
    case "append":
    case "call":
      return await append(tx, intake);
  }
}

async function start(tx: Tx, intake: StartIntake): Promise<Receipt> {
  const { run: draft } = intake;
  const live = await lockRun(tx, draft.id);
  if (intake.configures) {
    if (!live) throw await notLive(tx, draft.id, "it can't be configured");
    if (live.announced) return await configure(tx, live, intake);
  }
  const parent = draft.invoker && (await liveInvoker(tx, draft.invoker));
  const child = parent && (await childOf(tx, parent, intake));
  if (child) return child;
  if (live && parent) {
    throw new Problem(400, `workflow run ${draft.id} is alive already: it can't be invoked by ${parent.id}`);
  }
  const latest = live ?? (await latestRun(tx, draft.id));
  const again = isNamedAfterMessage(draft) || (latest && isSameTrigger(latest.config, draft.config));
  const known = again ? latest : live;
  if (known)
    return receipt(
      { id: (await entryMessage(tx, known.key, FIRST_RECORD)) ?? "", url: known.url },
      known,
      true,
    );
  const run = await insertRun(tx, draft, parent);
  const entry = { key: FIRST_RECORD, callType: "step", body: intake.payload } as const;
  await insertEntry(tx, run, entry, intake.message);
  tx.record({ type: "run.started", runId: run.id, url: run.url, payload: excerptOf(intake.payload) });
  return receipt(intake.message, run, false);
}

async function liveInvoker(tx: Tx, { runId, createdAt }: { runId: string; createdAt: number }): Promise<Run> {
  const run = await lockRun(tx, runId);
  // Of several runs that had this id, it is one that has ended.
  if (!run || (createdAt > 0 && createdAt !== run.createdAt)) {
    throw await notLive(tx, runId, "it can't invoke another one");
  }
  return run;
}

/** What the step has invoked before: the endpoint says it again when it hasn't heard our answer. */
async function childOf(tx: Tx, parent: Run, { run }: StartIntake): Promise<Receipt | undefined> {
  const key = run.invoker?.key ?? "";
  const row = await tx.one<{ key: number }>(
    sql`SELECT key FROM runs WHERE parent = ${parent.key} AND parent_record = ${key}`,
  );
  const child = row && (await runOf(tx, row.key));
  if (child) {
    return receipt(
      { id: (await entryMessage(tx, child.key, FIRST_RECORD)) ?? "", url: child.url },
      child,
      true,
    );
  }
  const recorded = await entryMessage(tx, parent.key, key);
  return recorded === undefined ? undefined : receipt({ id: recorded, url: run.url }, undefined, true);
}

/** Replaces the delivery that announced the run by one that the endpoint takes for a start. */
async function configure(tx: Tx, live: Run, intake: StartIntake): Promise<Receipt> {
  const config = reconfigure(live.config, intake.run.config);
  const deadline = deadlineOf(live.createdAt, config);
  await tx.run(
    sql`UPDATE runs SET announced = 0, config = ${JSON.stringify(config)}, flow_key = ${config.flow?.key ?? null},
      deadline = ${deadline} WHERE key = ${live.key}`,
  );
  await tx.run(sql`DELETE FROM run_labels WHERE run = ${live.key}`);
  await labelRun(tx, live.key, config.labels);
  if (deadline !== null) tx.wakeAt(deadline);
  const changes = await finishMessages(tx, sql`run = ${live.key}`, {
    outcome: "DELIVERED",
    deleteAfter: intake.message.createdAt,
  });
  tx.count({ of: "delivery", state: "DELIVERED", count: changes });
  // What it was counted as under way for has ended.
  if (await letGo(tx, live.config.flow?.key ?? null)) tx.wakeAt(intake.message.createdAt);
  const entry = (await tx.one<{ seq: number }>(
    sql`UPDATE entries SET message = ${intake.message.id} WHERE run = ${live.key} AND record = ${FIRST_RECORD} RETURNING seq`,
  )) as { seq: number };
  await insertMessage(tx, inherit(intake.message, { ...live, config }), { run: live.key, entry: entry.seq });
  return receipt(intake.message, live, false);
}

async function append(tx: Tx, intake: AppendIntake | CallIntake): Promise<Receipt> {
  const run = await lockRun(tx, intake.runId);
  if (!run) throw await notLive(tx, intake.runId, "nothing can be added to it");
  const known = await entryMessage(tx, run.key, intake.key);
  // The endpoint says it again when it hasn't heard our answer. What it said first has been scheduled.
  if (known !== undefined) return receipt({ id: known, url: intake.message.url }, run, true);
  const callType = intake.kind === "call" ? "toCallback" : "step";
  await insertEntry(tx, run, { key: intake.key, callType, body: intake.body }, intake.message);
  if (intake.kind === "append") {
    await addWebhook(tx, run.key, intake.record);
    recordAppended(tx, intake);
  }
  return receipt(intake.message, run, false);
}

function recordAppended(tx: Tx, { runId, record, message }: AppendIntake): void {
  const { stepName: step, stepType, out } = record;
  const about = { runId, step, stepType };
  if (!isPlan(record)) tx.record({ type: "step.recorded", ...about, result: excerptOf(out) });
  if (stepType === "SleepFor" || stepType === "SleepUntil")
    tx.record({ type: "step.waiting", ...about, until: message.notBefore });
}

function receipt(
  message: Pick<Draft, "id" | "url">,
  run: Pick<Run, "id" | "createdAt"> | undefined,
  deduplicated: boolean,
): Receipt {
  return {
    messageId: message.id,
    url: message.url,
    deduplicated,
    run: run && { id: run.id, createdAt: run.createdAt },
  };
}
