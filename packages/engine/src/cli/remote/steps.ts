import { readFailure, type WebhookHit } from "@perdure/core/protocol";

/** A step of a run, or a delivery that doesn't run a step on record. */
export interface Step {
  /** Absent for a delivery that doesn't run a step on record. */
  readonly stepName?: string;
  readonly stepType?: string;
  readonly state: string;
  readonly createdAt?: number;
  readonly durationMs?: number;
  readonly retries?: number;
  readonly errors?: readonly {
    readonly error: string;
    readonly body?: string;
    readonly status: number;
  }[];
  readonly out?: unknown;
}

/** A page of a run's steps. */
export interface StepsPage {
  readonly steps: readonly Step[];
  readonly cursor?: string;
}

/** Returns a step's result as text. Waits record theirs in base64: the data of an event, or a webhook's whole request. */
export function resultText({ stepType, out }: Step): string | undefined {
  const text = out === undefined || typeof out === "string" ? out : JSON.stringify(out);
  if (text === undefined || !isBase64(text)) return text;
  if (stepType === "Wait") return fromBase64(text);
  if (stepType !== "WaitForWebhook") return text;
  try {
    const { method, body } = JSON.parse(fromBase64(text)) as WebhookHit;
    return `${method} ${fromBase64(body)}`.trim();
  } catch {
    return text; // The record of another client.
  }
}

/** False for a result that is hidden or redacted. */
function isBase64(text: string): boolean {
  return /^(?:[\w+/]{4})*(?:[\w+/]{2}==|[\w+/]{3}=)?$/.test(text);
}

function fromBase64(text: string): string {
  return Buffer.from(text, "base64").toString();
}

/** Returns the message of the last failed attempt. */
export function lastError(errors: Step["errors"] = []): string | undefined {
  const last = errors.at(-1);
  return last && readFailure(last.body || last.error, last.status).message;
}
