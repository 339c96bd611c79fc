import { isPlan } from "@perdure/core/protocol";
import type { StartCall } from "../rules/call.ts";
import type { AppendStep } from "../rules/command.ts";
import { excerptOf } from "../rules/event.ts";
import type { Receipt } from "../store/receipt.ts";
import { insertBareEntry } from "../store/tables/entries.ts";
import { notLive } from "../store/tables/runs.ts";
import type { Tx } from "../store/tx.ts";
import { leaveInline } from "./hold-run.ts";
import { entryMessage, insertEntry, lockRun } from "./messages.ts";
import { receipt } from "./receipt.ts";
import { addWebhook } from "./waits.ts";
import { wakeRun } from "./wake-run.ts";

/**
 * Adds a record or a call to a run's history, and stores its delivery. An endpoint that hasn't heard the answer repeats
 * the request: then the answer names what is there.
 *
 * @throws EngineError `invalid_request` when the run isn't live
 */
export async function appendRecord(tx: Tx, command: AppendStep | StartCall): Promise<Receipt> {
  const run = await lockRun(tx, command.runId);
  if (!run) throw await notLive(tx, command.runId, "nothing can be added to it");
  const known = await entryMessage(tx, run.key, command.key);
  if (known !== undefined) return receipt({ id: known, url: command.message.url }, run, true);
  const callType = command.kind === "call" ? "toCallback" : "step";
  const entry = { key: command.key, callType, body: command.body } as const;
  if (run.inline && isAnswer(command)) {
    await insertBareEntry(tx, run.key, { ...entry, message: command.message.id });
    await wakeRun(tx, run);
  } else {
    if (run.inline) await leaveInline(tx, run);
    await insertEntry(tx, run, entry, command.message);
  }
  if (command.kind === "append") {
    await addWebhook(tx, run.key, command.record);
    recordAppended(tx, command);
  }
  return receipt(command.message, run, false);
}

/** The answer to a call that was made before the run's endpoint ran it inline. */
function isAnswer(command: AppendStep | StartCall): boolean {
  return command.kind === "append" && command.record.stepType === "Call" && !isPlan(command.record);
}

function recordAppended(tx: Tx, { runId, record, message }: AppendStep): void {
  const { stepName: step, stepType, out } = record;
  const about = { runId, step, stepType };
  if (!isPlan(record)) tx.record({ type: "step.recorded", ...about, result: excerptOf(out) });
  // The plan of a group's member is what sleeps, not its result.
  const sleeps = isPlan(record) || record.concurrent === 1;
  if (sleeps && (stepType === "SleepFor" || stepType === "SleepUntil"))
    tx.record({ type: "step.waiting", ...about, until: message.notBefore });
}
