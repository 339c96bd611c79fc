import type { CallIntake } from "../../domain/call.ts";
import type { AppendIntake, Intake, StartIntake } from "../../domain/intake.ts";
import type { Draft } from "../../domain/message.ts";
import { Problem } from "../../domain/problem.ts";
import type { QueueLimits } from "../../domain/queue.ts";
import { inherit, isNamedAfterMessage, isSameTrigger, type Run, reconfigure } from "../../domain/run.ts";
import type { Receipt } from "../store.ts";
import type { Database } from "./database.ts";
import { knownAgain } from "./deduplications.ts";
import { letGo } from "./flow.ts";
import { type Due, entryMessage, insertEntry, insertMessage, liveRun, runOf } from "./messages.ts";
import { ensureQueue } from "./queues.ts";
import { toLabels } from "./rows.ts";
import { deadlineOf, insertRun, latestRun, notLive } from "./runs.ts";
import { addWebhook } from "./waiting.ts";

export const FIRST_RECORD = "init";

export function accept(
  db: Database,
  intakes: readonly Intake[],
  due: Due,
  limits: Partial<QueueLimits> = {},
): Receipt[] {
  return intakes.map((intake) => acceptOne(db, intake, due, limits));
}

function acceptOne(db: Database, intake: Intake, due: Due, limits: Partial<QueueLimits>): Receipt {
  switch (intake.kind) {
    case "message": {
      const known = knownAgain(db, intake);
      if (known) return known;
      if (intake.message.queue !== undefined) {
        ensureQueue(db, intake.message.queue, intake.message.createdAt, limits.queues);
      }
      insertMessage(db, intake.message, due);
      return receipt(intake.message, undefined, false);
    }
    case "start":
      return start(db, intake, due);
    case "append":
    case "call":
      return append(db, intake, due);
  }
}

function start(db: Database, intake: StartIntake, due: Due): Receipt {
  const { run: draft } = intake;
  const live = liveRun(db, draft.id);
  if (intake.configures) {
    if (!live) throw notLive(db, draft.id, "it can't be configured");
    if (live.announced) return configure(db, live, intake, due);
  }
  const parent = draft.invoker && liveInvoker(db, draft.invoker);
  const child = parent && childOf(db, parent, intake);
  if (child) return child;
  if (live && parent) {
    throw new Problem(400, `workflow run ${draft.id} is alive already: it can't be invoked by ${parent.id}`);
  }
  const latest = live ?? latestRun(db, draft.id);
  const again = isNamedAfterMessage(draft) || (latest && isSameTrigger(latest.config, draft.config));
  const known = again ? latest : live;
  if (known)
    return receipt({ id: entryMessage(db, known.key, FIRST_RECORD) ?? "", url: known.url }, known, true);
  const run = insertRun(db, draft, due, parent);
  const entry = { key: FIRST_RECORD, callType: "step", body: intake.payload } as const;
  insertEntry(db, run, entry, intake.message, due);
  return receipt(intake.message, run, false);
}

function liveInvoker(db: Database, { runId, createdAt }: { runId: string; createdAt: number }): Run {
  const run = liveRun(db, runId);
  // Of several runs that had this id, it is one that has ended.
  if (!run || (createdAt > 0 && createdAt !== run.createdAt)) {
    throw notLive(db, runId, "it can't invoke another one");
  }
  return run;
}

/** What the step has invoked before: the endpoint says it again when it hasn't heard our answer. */
function childOf(db: Database, parent: Run, { run }: StartIntake): Receipt | undefined {
  const key = run.invoker?.key ?? "";
  const row = db.get<{ key: number }>(
    "SELECT key FROM runs WHERE parent = ? AND parent_record = ?",
    parent.key,
    key,
  );
  const child = row && runOf(db, row.key);
  if (child) {
    return receipt({ id: entryMessage(db, child.key, FIRST_RECORD) ?? "", url: child.url }, child, true);
  }
  const recorded = entryMessage(db, parent.key, key);
  return recorded === undefined ? undefined : receipt({ id: recorded, url: run.url }, undefined, true);
}

/** Replaces the delivery that announced the run by one that the endpoint takes for a start. */
function configure(db: Database, live: Run, intake: StartIntake, due: Due): Receipt {
  const config = reconfigure(live.config, intake.run.config);
  const deadline = deadlineOf(live.createdAt, config);
  db.run(
    "UPDATE runs SET announced = 0, config = ?, labels = ?, flow_key = ?, deadline = ? WHERE key = ?",
    JSON.stringify(config),
    toLabels(config.labels),
    config.flow?.key ?? null,
    deadline,
    live.key,
  );
  if (deadline !== null) due(deadline);
  const { changes } = db.run(
    `UPDATE messages SET state = 'DELIVERED', due_at = NULL, parked = NULL, lane = NULL, forget_at = ?
     WHERE run = ? AND state <> 'DELIVERED' AND due_at IS NOT NULL`,
    intake.message.createdAt,
    live.key,
  );
  db.tally.add({ of: "delivery", state: "DELIVERED", count: changes });
  // What it was counted as under way for has ended.
  if (letGo(db, live.config.flow?.key ?? null)) due(intake.message.createdAt);
  const entry = db.get<{ seq: number }>(
    "UPDATE entries SET message = ? WHERE run = ? AND record = ? RETURNING seq",
    intake.message.id,
    live.key,
    FIRST_RECORD,
  ) as { seq: number };
  insertMessage(db, inherit(intake.message, { ...live, config }), due, { run: live.key, entry: entry.seq });
  return receipt(intake.message, live, false);
}

function append(db: Database, intake: AppendIntake | CallIntake, due: Due): Receipt {
  const run = liveRun(db, intake.runId);
  if (!run) throw notLive(db, intake.runId, "nothing can be added to it");
  const known = entryMessage(db, run.key, intake.key);
  // The endpoint says it again when it hasn't heard our answer. What it said first has been scheduled.
  if (known !== undefined) return receipt({ id: known, url: intake.message.url }, run, true);
  const callType = intake.kind === "call" ? "toCallback" : "step";
  insertEntry(db, run, { key: intake.key, callType, body: intake.body }, intake.message, due);
  if (intake.kind === "append") addWebhook(db, run.key, intake.record);
  return receipt(intake.message, run, false);
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
