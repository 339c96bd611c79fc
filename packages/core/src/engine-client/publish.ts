import * as HEADER from "../protocol/header-names.ts";
import type { InlineMessage } from "../protocol/inline.ts";
import type { Message } from "../protocol/message.ts";
import { describeValue } from "../util/check.ts";
import { WorkflowError } from "../util/errors.ts";
import { VERSION } from "../util/version.ts";
import { createApi } from "./api.ts";
import type { Http } from "./http.ts";

/** The engine's answer to one published message. */
export interface Receipt {
  readonly messageId: string;
  /** True when the engine already had the message, and did nothing. */
  readonly deduplicated: boolean;
}

/** Options for all messages of an endpoint or a client. */
export interface PublishOptions {
  /** Whether to send the names of the package and the runtime. */
  readonly telemetry: boolean;
  /** True when a destination may receive the client's own headers, which may contain secrets. */
  readonly trustsDestination: (url: string, runUrl: string | undefined) => boolean;
}

/**
 * Sends messages to the engine with one request.
 *
 * @param subject describes the messages of a run in the error when the engine refuses all of them
 * @returns for each message its receipt, or the engine's refusal
 */
export async function publish(
  http: Http,
  messages: readonly Message[],
  options: PublishOptions,
  subject?: string,
): Promise<(Receipt | WorkflowError)[]> {
  const items = messages.map((message) => toBatchItem(http, message, options));
  const headers = { [HEADER.contentType]: "application/json" };
  const details = { headers, body: JSON.stringify(items), subject };
  const answers = [await createApi(() => http)("POST", ["batch"], details)].flat();
  return messages.map((message, at) => toReceipt(answers[at] ?? { error: NO_RECEIPT }, message));
}

/** Returns a message as it travels in a batch. */
export function toBatchItem(
  http: Http,
  { url, method = "POST", headers, body, withoutTelemetry }: Message,
  { telemetry, trustsDestination }: PublishOptions,
): InlineMessage {
  return {
    destination: url,
    headers: lowerCaseNames([
      ...((trustsDestination(url, headers[HEADER.workflowUrl]) && http.headers) || []),
      ...(telemetry && !withoutTelemetry ? TELEMETRY : []),
      [HEADER.method, method],
      ...Object.entries(headers),
    ]),
    body,
  };
}

/** Converts names to lower case. Of headers with the same name, the last one wins. */
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
  const reason = typeof error === "string" ? error : describeValue(answer);
  return new WorkflowError("engine_refused", `The engine refuses the message for ${message.url}: ${reason}`);
}
