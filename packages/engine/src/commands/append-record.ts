import { isPlan } from "@perdure/core/protocol";
import type { StartCall } from "../rules/call.ts";
import type { AppendStep } from "../rules/command.ts";
import { excerptOf } from "../rules/event.ts";
import type { Receipt } from "../store/receipt.ts";
import { entryMessage } from "../store/tables/entries.ts";
import { lockRun, notLive } from "../store/tables/runs.ts";
import type { Tx } from "../store/tx.ts";
import { insertEntry } from "./insert-entry.ts";
import { openWebhook } from "./open-webhook.ts";
import { receipt } from "./receipt.ts";

/**
 * Adds a record or a call to a run's history, and stores its delivery. An endpoint that hasn't heard the answer repeats
 * the request: the receipt of the repetition names the entry that is there.
 *
 * @throws EngineError `conflict` when the run isn't live
 */
export async function appendRecord(tx: Tx, command: AppendStep | StartCall): Promise<Receipt> {
  const { runId, key, body, message } = command;
  const run = await lockRun(tx, runId);
  if (!run) throw await notLive(tx, runId, "nothing can be added to it");
  const callType = command.kind === "call" ? "toCallback" : "step";
  if (!(await insertEntry(tx, run, { key, callType, body }, message))) {
    const id = (await entryMessage(tx, run.key, key)) ?? message.id;
    return receipt({ id, url: message.url }, run, true);
  }
  if (command.kind === "append") {
    await openWebhook(tx, run.key, command.record);
    recordAppended(tx, command);
  }
  return receipt(message, run, false);
}

function recordAppended(tx: Tx, { runId, record, message }: AppendStep): void {
  const { stepName: step, stepType, out } = record;
  const about = { runId, step, stepType };
  if (!isPlan(record)) tx.record({ type: "step.recorded", ...about, result: excerptOf(out) });
  // In a group, the plan sleeps, and not the result.
  const sleeps = isPlan(record) || record.concurrent === 1;
  if (sleeps && (stepType === "SleepFor" || stepType === "SleepUntil"))
    tx.record({ type: "step.waiting", ...about, until: message.notBefore });
}
