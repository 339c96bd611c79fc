import { WorkflowError } from "../kernel/errors.ts";
import { VERSION } from "../kernel/version.ts";
import type { Message } from "../protocol/message.ts";
import * as HEADER from "../protocol/names.ts";
import { ask } from "./api.ts";
import type { Http } from "./http.ts";

/** The engine's answer to one published message. */
export interface Receipt {
  readonly messageId: string;
  /** The engine had it already: nothing was done. */
  readonly deduplicated: boolean;
}

/**
 * Hands messages to the engine, with one request for all of them.
 *
 * @returns for each message its receipt, or why the engine refuses it
 */
export async function publish(
  http: Http,
  messages: readonly Message[],
  telemetry: boolean,
): Promise<(Receipt | WorkflowError)[]> {
  const items = messages.map(({ url, method = "POST", headers, body, untold }) => ({
    destination: url,
    headers: {
      ...Object.fromEntries(http.headers ?? []),
      ...(telemetry && !untold ? TELEMETRY : {}),
      ...lowered(Object.entries({ [HEADER.method]: method, ...headers })),
    },
    body,
  }));
  const headers = { [HEADER.contentType]: "application/json" };
  const body = JSON.stringify(items);
  const answers = [await ask<unknown>(http, { method: "POST", path: ["batch"], headers, body })].flat();
  return messages.map((message, at) => toReceipt(answers[at], message));
}

function lowered(headers: Iterable<[string, string]>): Record<string, string> {
  const list: Record<string, string> = {};
  for (const [name, value] of headers) list[name.toLowerCase()] = value;
  return list;
}

const TELEMETRY = lowered([
  [HEADER.telemetrySdk, `@perdure/core@${VERSION}`],
  [HEADER.telemetryRuntime, globalThis.navigator?.userAgent ?? "unknown"],
]);

function toReceipt(answer: unknown, message: Message): Receipt | WorkflowError {
  const { messageId, deduplicated, error } = Object(answer) as Partial<Receipt> & { error?: unknown };
  if (typeof messageId === "string") return { messageId, deduplicated: deduplicated === true };
  const reason = typeof error === "string" ? error : JSON.stringify(answer);
  return new WorkflowError("engine_refused", `The engine refuses the message for ${message.url}: ${reason}`);
}
