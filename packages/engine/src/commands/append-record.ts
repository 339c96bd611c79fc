import { isPlan } from "@perdure/core/protocol";
import type { StartCall } from "../rules/call.ts";
import type { AppendStep } from "../rules/command.ts";
import { excerptOf } from "../rules/event.ts";
import type { Run } from "../rules/run.ts";
import { isSleep, kindOf } from "../rules/step-kinds.ts";
import type { Receipt } from "../store/receipt.ts";
import { entryMessage, insertBareEntry } from "../store/tables/entries.ts";
import { lockRun, notLive } from "../store/tables/runs.ts";
import type { Tx } from "../store/tx.ts";
import { leaveInline } from "./hold-run.ts";
import { insertEntry } from "./insert-entry.ts";
import { openWebhook } from "./open-webhook.ts";
import { receipt } from "./receipt.ts";
import { wakeRun } from "./wake-run.ts";

/**
 * Adds a record or a call to a run's history, and stores its delivery. An endpoint that didn't get the answer repeats
 * the request: the receipt of the repetition names the entry that is there.
 *
 * @throws EngineError `conflict` when the run isn't live
 */
export async function appendRecord(tx: Tx, command: AppendStep | StartCall): Promise<Receipt> {
  const { runId, key, message } = command;
  const run = await lockRun(tx, runId);
  if (!run) throw await notLive(tx, runId, "nothing can be added to it");
  if (!(await insert(tx, run, command))) {
    const id = (await entryMessage(tx, run.key, key)) ?? message.id;
    return receipt({ id, url: message.url }, run, true);
  }
  if (command.kind === "append") {
    openWebhook(tx, run.key, command.record);
    recordAppended(tx, command);
  }
  return receipt(message, run, false);
}

/** Adds the entry, unless it is there. The run's endpoint may have run it inline before. @returns whether it is new */
async function insert(tx: Tx, run: Run, command: AppendStep | StartCall): Promise<boolean> {
  const { key, body, message } = command;
  const callType = command.kind === "call" ? "toCallback" : "step";
  const step = command.kind === "call" ? undefined : command.record.stepName;
  if (run.inline && isAnswer(command)) {
    const isNew = await insertBareEntry(tx, run.key, { key, callType, step, body, message: message.id });
    if (isNew) await wakeRun(tx, run);
    return isNew;
  }
  const isNew = await insertEntry(tx, run, { key, callType, step, body }, message);
  if (isNew && run.inline) await leaveInline(tx, run);
  return isNew;
}

/** Whether a record is the answer to a call that was made before the run's endpoint ran it inline. */
function isAnswer(command: AppendStep | StartCall): boolean {
  return (
    command.kind === "append" &&
    kindOf(command.record.stepType).pendingIn === "call" &&
    !isPlan(command.record)
  );
}

function recordAppended(tx: Tx, { runId, record, message }: AppendStep): void {
  const { stepName: step, stepType, out } = record;
  const about = { runId, step, stepType };
  if (!isPlan(record)) tx.record({ type: "step.recorded", ...about, result: excerptOf(out) });
  // In a group, the plan sleeps, and not the result.
  const sleeps = isPlan(record) || record.concurrent === 1;
  if (sleeps && isSleep(record)) tx.record({ type: "step.waiting", ...about, until: message.notBefore });
}
