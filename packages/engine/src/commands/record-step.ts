import { toBytes } from "../rules/bytes.ts";
import type { NewMessage } from "../rules/message.ts";
import type { Run } from "../rules/run.ts";
import type { Tx } from "../store/tx.ts";
import { insertEntry } from "./insert-entry.ts";

/** The record of a step that the engine makes: of a wait, or of an invocation. */
export interface EngineStep {
  readonly key: string;
  /** The step's record. */
  readonly json: string;
  /** Delivers the record to the endpoint. */
  readonly message: NewMessage;
  /** The time of the wait was over before its event came. */
  readonly timedOut?: boolean;
}

/** Records a step, unless it is on record, and stores its delivery, which is due now. */
export async function recordStep(tx: Tx, run: Run, step: EngineStep): Promise<void> {
  const message = { ...step.message, notBefore: tx.now, createdAt: tx.now };
  const entry = { key: step.key, callType: "step", body: toBytes(step.json) } as const;
  if (!(await insertEntry(tx, run, entry, message))) return;
  const { stepName, stepType } = JSON.parse(step.json) as { stepName: string; stepType: string };
  const timedOut = step.timedOut ? { timedOut: true } : {};
  tx.record({ type: "step.recorded", runId: run.id, step: stepName, stepType, ...timedOut });
}
