import { excerptOf } from "../rules/event.ts";
import type { StartIntake } from "../rules/intake.ts";
import { Problem } from "../rules/problem.ts";
import { inherit, isNamedAfterMessage, isSameTrigger, type Run, reconfigure } from "../rules/run.ts";
import type { Receipt } from "../store/store.ts";
import { finishMessages } from "../store/tables/due.ts";
import { FIRST_RECORD } from "../store/tables/entries.ts";
import { deadlineOf, insertRun, labelRun, latestRun, notLive } from "../store/tables/runs.ts";
import { sql, type Tx } from "../store/tx.ts";
import { letGo } from "./flow-limits.ts";
import { entryMessage, insertEntry, insertMessage, lockRun, runOf } from "./messages.ts";
import { receipt } from "./receipt.ts";

/**
 * Starts a run, unless the request repeats one that has been stored: then the answer names what is there.
 *
 * @throws Problem 400 when the run that it configures, or that invokes it, isn't live
 */
export async function startRun(tx: Tx, intake: StartIntake): Promise<Receipt> {
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
  // The delivery no longer counts toward the limit of its key.
  if (await letGo(tx, live.config.flow?.key ?? null)) tx.wakeAt(intake.message.createdAt);
  const entry = (await tx.one<{ seq: number }>(
    sql`UPDATE entries SET message = ${intake.message.id} WHERE run = ${live.key} AND record = ${FIRST_RECORD} RETURNING seq`,
  )) as { seq: number };
  await insertMessage(tx, inherit(intake.message, { ...live, config }), { run: live.key, entry: entry.seq });
  return receipt(intake.message, live, false);
}
