import { isPlan } from "@perdure/core/protocol";
import type { CallIntake } from "../rules/call.ts";
import { excerptOf } from "../rules/event.ts";
import type { AppendIntake } from "../rules/intake.ts";
import type { Receipt } from "../store/store.ts";
import { notLive } from "../store/tables/runs.ts";
import type { Tx } from "../store/tx.ts";
import { entryMessage, insertEntry, lockRun } from "./messages.ts";
import { receipt } from "./receipt.ts";
import { addWebhook } from "./waits.ts";

/**
 * Adds a record or a call to a run's history, and stores its delivery. An endpoint that hasn't heard the answer repeats
 * the request: then the answer names what is there.
 *
 * @throws Problem 400 when the run isn't live
 */
export async function appendRecord(tx: Tx, intake: AppendIntake | CallIntake): Promise<Receipt> {
  const run = await lockRun(tx, intake.runId);
  if (!run) throw await notLive(tx, intake.runId, "nothing can be added to it");
  const known = await entryMessage(tx, run.key, intake.key);
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
