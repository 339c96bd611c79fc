import * as HEADER from "../protocol/header-names.ts";
import type { Message } from "../protocol/message.ts";
import { WorkflowError } from "../util/errors.ts";
import { VERSION } from "../util/version.ts";
import { createApi } from "./api.ts";
import type { Http } from "./http.ts";

/** The engine's answer to one published message. */
export interface Receipt {
  readonly messageId: string;
  /** The engine had it already: nothing was done. */
  readonly deduplicated: boolean;
}

/** What is sent along with messages. */
export interface PublishOptions {
  /** Which package and runtime sends them. */
  readonly telemetry: boolean;
  /** Whether a destination may see the client's own headers, which may be secrets. @param of the run's own URL */
  readonly trustsDestination: (url: string, of: string | undefined) => boolean;
}

/**
 * Hands messages to the engine, with one request for all of them.
 *
 * @param subject what the messages are of a run, for an engine that refuses all of them
 * @returns for each message its receipt, or why the engine refuses it
 */
export async function publish(
  http: Http,
  messages: readonly Message[],
  { telemetry, trustsDestination }: PublishOptions,
  subject?: string,
): Promise<(Receipt | WorkflowError)[]> {
  const items = messages.map(({ url, method = "POST", headers, body, withoutTelemetry }) => ({
    destination: url,
    headers: lowerCaseNames([
      ...((trustsDestination(url, headers[HEADER.workflowUrl]) && http.headers) || []),
      ...(telemetry && !withoutTelemetry ? TELEMETRY : []),
      [HEADER.method, method],
      ...Object.entries(headers),
    ]),
    body,
  }));
  const headers = { [HEADER.contentType]: "application/json" };
  const details = { headers, body: JSON.stringify(items), subject };
  const answers = [await createApi(() => http)("POST", ["batch"], details)].flat();
  return messages.map((message, at) => toReceipt(answers[at] ?? { error: NO_RECEIPT }, message));
}

/** Of headers whose names are the same, the last one. */
function lowerCaseNames(headers: readonly (readonly [string, string])[]): Record<string, string> {
  return Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]));
}

const TELEMETRY = [
  [HEADER.telemetrySdk, `@perdure/core@${VERSION}`],
  [HEADER.telemetryRuntime, globalThis.navigator?.userAgent ?? "unknown"],
] as const;

const NO_RECEIPT = "the answer has no { messageId } for it";

function toReceipt(answer: unknown, message: Message): Receipt | WorkflowError {
  const { messageId, deduplicated, error } = Object(answer) as Partial<Receipt> & { error?: unknown };
  if (typeof messageId === "string") return { messageId, deduplicated: deduplicated === true };
  const reason = typeof error === "string" ? error : JSON.stringify(answer);
  return new WorkflowError("engine_refused", `The engine refuses the message for ${message.url}: ${reason}`);
}
