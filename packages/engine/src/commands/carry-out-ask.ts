import { newMessageId } from "@perdure/core/protocol";
import { toBytes } from "../rules/bytes.ts";
import type { Ask } from "../rules/inline-records.ts";
import type { Run } from "../rules/run.ts";
import type { NewSleep } from "../rules/wait.ts";
import { sql, type Tx } from "../store/tx.ts";
import { insertMessage } from "./insert-message.ts";
import { recordStep } from "./record-step.ts";
import { startRun } from "./start-run.ts";
import { startWait } from "./start-wait.ts";

/** The id on the wire of the plan of a step that the engine does. The log finds a call by it. */
export function messageOfAsk(ask: Ask): string {
  return ask.kind === "call" ? ask.call.message.id : newMessageId();
}

/** Starts the engine's work for a step of an inline run. The engine later records the step's result, and wakes the run. */
export async function carryOut(tx: Tx, run: Run, ask: Ask): Promise<void> {
  switch (ask.kind) {
    case "call": {
      const { message, body } = ask.call;
      const redact = message.redact ?? run.config.redact;
      await insertMessage(
        tx,
        { ...message, redact, body: body.length > 0 ? body : undefined },
        { run: run.key },
      );
      return;
    }
    case "invoke":
      await startRun(tx, ask.start);
      return;
    case "wait":
      await startWait(tx, ask.wait);
      return;
    case "sleep":
      return sleep(tx, run, ask.sleep);
    default:
      return ask satisfies never;
  }
}

async function sleep(tx: Tx, run: Run, command: NewSleep): Promise<void> {
  const { key, step, deadline } = command;
  const over = deadline <= tx.now;
  tx.send(
    sql`INSERT INTO waiters (run, event, record, open, deadline, wait, created_at)
      VALUES (${run.key}, NULL, ${key}, ${over ? 0 : 1}, ${deadline}, ${JSON.stringify(command)}, ${tx.now})`,
  );
  if (over) return recordStep(tx, run, { key, step, body: toBytes(JSON.stringify(step)) });
  tx.wakeAt(deadline);
  const { stepName, stepType } = step;
  tx.record({ type: "step.waiting", runId: run.id, step: stepName, stepType, until: deadline });
}
