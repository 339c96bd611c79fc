import { isPlan, type StepRecord } from "@perdure/core/protocol";
import { toEventId } from "../rules/field.ts";
import { kindOf } from "../rules/step-kinds.ts";
import { sql, type Tx } from "../store/tx.ts";

/** Opens the address of the webhook that a step has made. Every other record does nothing here. */
export function openWebhook(tx: Tx, run: number, record: StepRecord): void {
  const eventId = webhookIn(record);
  if (eventId === undefined) return;
  tx.send(sql`INSERT INTO webhooks (run, event) VALUES (${run}, ${eventId}) ON CONFLICT DO NOTHING`);
}

/** Whether a step has made a webhook. */
export function opensWebhook(record: StepRecord): boolean {
  return webhookIn(record) !== undefined;
}

function webhookIn(record: StepRecord): string | undefined {
  if (kindOf(record.stepType).effect !== "webhook" || isPlan(record) || record.out === undefined)
    return undefined;
  try {
    const { eventId } = JSON.parse(record.out) as { eventId?: unknown };
    return typeof eventId === "string" ? toEventId(eventId, "eventId") : undefined;
  } catch {
    return undefined; // A result that isn't such JSON holds no address that a client could call.
  }
}
