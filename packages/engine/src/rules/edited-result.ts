import type { StepRecord, WebhookHit } from "@perdure/core/protocol";
import { fromBase64, toBase64, toBytes, toText } from "./bytes.ts";
import { kindOf } from "./step-kinds.ts";

/** The request of a webhook that was never called, for a result that a person sets. */
const NO_HIT: WebhookHit = {
  method: "POST",
  header: { "Content-Type": ["application/json"] },
  body: "",
  proto: "http",
  host: "localhost",
  url: "/",
};

/**
 * Replaces the result on record. For the wait for an event it is the event's data, for that of a webhook the body of the
 * request: both are recorded in base64, and neither has timed out then.
 *
 * @param json the result as JSON
 */
export function withResult(record: StepRecord, json: string): StepRecord {
  const { failure: _failure, waitTimeout: _timeout, ...step } = record;
  return { ...step, out: toOut(record, json) };
}

function toOut({ stepType, out }: StepRecord, json: string): string {
  const { awaits } = kindOf(stepType);
  if (awaits === undefined) return json;
  const data = toBase64(toBytes(json));
  if (awaits === "event") return data;
  return toBase64(toBytes(JSON.stringify({ ...(hitIn(out) ?? NO_HIT), body: data })));
}

/** @returns undefined for a wait that has timed out, and for the record of another client that holds no request */
function hitIn(out: string | undefined): WebhookHit | undefined {
  try {
    const hit: unknown = JSON.parse(toText(fromBase64(out ?? "")));
    return typeof hit === "object" && hit !== null ? (hit as WebhookHit) : undefined;
  } catch {
    return undefined;
  }
}
