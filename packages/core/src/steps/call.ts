import { type CallRequest, callMessage, callPolicyHeaders } from "../protocol/call.ts";
import { contentTypeOf } from "../protocol/options.ts";
import type { StepRecord } from "../protocol/step.ts";
import { decodeUtf8, fromBinary } from "../util/bytes.ts";
import { mustBe } from "../util/check.ts";
import { parseLeniently } from "../util/json.ts";
import { checkOptions } from "../util/options.ts";
import { checkUrl } from "../util/url.ts";
import type { ChildPayload, Invokable } from "./invoke.ts";
import { type RollbackOptions, rollbackOf } from "./policy.ts";
import { deserialize, type Step, type StepPlacement, toBody } from "./step.ts";

/** The answer to a call, whatever its status. */
export interface CallResponse<Body = unknown> {
  readonly status: number;
  /** The parsed value for JSON, a string for other text, a `Uint8Array` for other bytes. */
  readonly body: Body;
  readonly header: Record<string, string[]>;
}

/** A run of another workflow of the same `serveMany`. The step doesn't wait for its end. */
export interface CallWorkflow<Payload = unknown>
  extends Pick<CallRequest, "headers" | "retries" | "retryDelay" | "timeout" | "flowControl"> {
  /** A workflow from `createWorkflow`, served by the same `serveMany`. */
  readonly workflow: Invokable<Payload, unknown>;
  /** The run's payload: a string is sent as it is, everything else as JSON. */
  readonly body?: ChildPayload<Payload>;
}

/**
 * The engine makes the request and records the answer, whatever its status.
 *
 * @param own headers that the request's own replace
 */
export function call<Body>(
  name: string,
  request: (CallRequest | CallWorkflow) & RollbackOptions<CallResponse<Body>>,
  own: Readonly<Record<string, string>> = {},
): Step<CallResponse<Body>> {
  checkOptions(
    `step "${name}"`,
    request as CallRequest & CallWorkflow & RollbackOptions,
    "url body headers retries retryDelay flowControl timeout method workflow rollback rollbackRetries rollbackRetryDelay rollbackTimeout",
  );
  const options = rollbackOf(request);
  callPolicyHeaders(request);
  const plain = "workflow" in request ? undefined : checked(request);
  return {
    name,
    type: "Call",
    options,
    toEngineRequest: (place) => {
      const target = plain ?? startOf(name, request as CallWorkflow, place);
      const headers = { ...place.outgoing, ...own, ...target.headers };
      return { message: callMessage(place, name, { ...target, headers }) };
    },
  };
}

export function readCall(record: StepRecord): CallResponse {
  const { status, body, header = {} } = Object(deserialize(record)) as Partial<CallResponse<string>>;
  if (typeof status !== "number" || typeof body !== "string") throw new TypeError("It isn't an answer.");
  return { status, header, body: readBody(body, header) };
}

function checked(request: CallRequest): CallRequest {
  const url = checkUrl("url", request.url);
  const { body } = request;
  if (body !== undefined && typeof body !== "string") throw mustBe("body", "a string", body);
  return { ...request, url };
}

function startOf(
  name: string,
  { workflow, body, ...options }: CallWorkflow,
  place: StepPlacement,
): CallRequest {
  const payload = toBody(body, `The payload of step "${name}"`);
  return { ...options, url: place.urlOf(workflow), method: "POST", body: payload };
}

const BINARY = /^(?:image|audio|video|font)\/|^application\/(?:octet-stream|pdf|zip|gzip|wasm|x-tar|vnd\.)/i;
const TEXTUAL = /\+(?:json|xml)\b/i;
const strict = new TextDecoder("utf-8", { fatal: true });

// The record has one character per byte. The bytes show text and JSON more reliably than a server's
// Content-Type.
function readBody(latin1: string, header: Record<string, string[]>): unknown {
  const bytes = fromBinary(latin1);
  const contentType = contentTypeOf(header)?.[0] ?? "";
  if (BINARY.test(contentType) && !TEXTUAL.test(contentType)) return bytes;
  if (bytes.length === 0) return "";
  const charset = /charset="?([\w-]+)/i.exec(contentType)?.[1] ?? "utf-8";
  if (!/^utf-?8$/i.test(charset)) return parseLeniently(decodeAs(bytes, charset));
  try {
    return parseLeniently(strict.decode(bytes));
  } catch {
    return bytes;
  }
}

function decodeAs(bytes: Uint8Array, charset: string): string {
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return decodeUtf8(bytes); // The platform doesn't support the charset.
  }
}
