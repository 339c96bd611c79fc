import { excerptOf } from "../rules/event.ts";
import type { StartIntake } from "../rules/intake.ts";
import { Problem } from "../rules/problem.ts";
import { type Invoker, inherit, type Run, type RunDraft, reconfigure } from "../rules/run.ts";
import { decideStart, type StartDecision } from "../rules/start.ts";
import type { Receipt } from "../store/store.ts";
import { finishMessages } from "../store/tables/due.ts";
import { FIRST_RECORD } from "../store/tables/entries.ts";
import { deadlineOf, insertRun, labelRun, latestRun, notLive } from "../store/tables/runs.ts";
import { sql, type Tx } from "../store/tx.ts";
import { letGo } from "./flow-limits.ts";
import { entryMessage, insertEntry, insertMessage, lockRun, runOf } from "./messages.ts";
import { receipt } from "./receipt.ts";

/**
 * Starts a run, unless the request repeats an earlier one: then the receipt names the run of that one.
 *
 * @throws Problem 400 when the run that the request configures, or that invokes it, isn't live
 */
export async function startRun(tx: Tx, intake: StartIntake): Promise<Receipt> {
  // 1. Read, under the locks of both runs.
  const { run: draft, configures } = intake;
  const { invoker } = draft;
  const live = await lockRun(tx, draft.id);
  const latest = live ?? (await latestRun(tx, draft.id));
  const parent = invoker && (await liveInvoker(tx, invoker));
  const child = parent && (await childOf(tx, parent, intake));
  // 2. Decide.
  const decision = decideStart({
    draft,
    configures,
    live,
    latest,
    invoker: !invoker ? "none" : parent ? "live" : "not live",
    invokedBefore: child !== undefined,
  });
  // 3. Write.
  if (decision === "configure" && live) return configure(tx, live, intake);
  if (decision === "repeat invocation" && child) return child;
  if (decision === "repeat" && latest) return repeated(tx, latest);
  if (decision !== "start") throw await refusal(tx, decision, draft);
  const run = await insertRun(tx, draft, parent);
  const entry = { key: FIRST_RECORD, callType: "step", body: intake.payload } as const;
  await insertEntry(tx, run, entry, intake.message);
  tx.record({ type: "run.started", runId: run.id, url: run.url, payload: excerptOf(intake.payload) });
  return receipt(intake.message, run, false);
}

async function refusal(tx: Tx, decision: StartDecision, { id, invoker }: RunDraft): Promise<Problem> {
  if (decision === "invoker is not live" && invoker) {
    return notLive(tx, invoker.runId, "it can't invoke another one");
  }
  if (decision === "id is taken") {
    return new Problem(400, `workflow run ${id} is alive already: it can't be invoked by ${invoker?.runId}`);
  }
  return notLive(tx, id, "it can't be configured");
}

/** The receipt of the request that started a run. */
async function repeated(tx: Tx, run: Run): Promise<Receipt> {
  const id = (await entryMessage(tx, run.key, FIRST_RECORD)) ?? "";
  return receipt({ id, url: run.url }, run, true);
}

/** The live run that invokes another one. Of several runs with its id, a request may mean one that has ended. */
async function liveInvoker(tx: Tx, { runId, createdAt }: Invoker): Promise<Run | undefined> {
  const run = await lockRun(tx, runId);
  return run && (createdAt === 0 || createdAt === run.createdAt) ? run : undefined;
}

/** What the step has invoked before: the endpoint says it again when it hasn't heard our answer. */
async function childOf(tx: Tx, parent: Run, { run }: StartIntake): Promise<Receipt | undefined> {
  const key = run.invoker?.key ?? "";
  const row = await tx.one<{ key: number }>(
    sql`SELECT key FROM runs WHERE parent = ${parent.key} AND parent_record = ${key}`,
  );
  const child = row && (await runOf(tx, row.key));
  if (child) return repeated(tx, child);
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
  // The delivery no longer counts toward the limit of its key.
  if (await letGo(tx, live.config.flow?.key ?? null)) tx.wakeAt(intake.message.createdAt);
  const entry = (await tx.one<{ seq: number }>(
    sql`UPDATE entries SET message = ${intake.message.id} WHERE run = ${live.key} AND record = ${FIRST_RECORD} RETURNING seq`,
  )) as { seq: number };
  await insertMessage(tx, inherit(intake.message, { ...live, config }), { run: live.key, entry: entry.seq });
  return receipt(intake.message, live, false);
}
