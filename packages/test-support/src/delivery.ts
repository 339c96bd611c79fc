import { createHash } from "node:crypto";
import {
  type DeliveryClaim,
  type FailureBody,
  HEADER,
  type HistoryEntry,
  type StepRecord,
} from "@perdure/core/protocol";
import { SignJWT } from "jose";

export const URL = "https://app.example.com/api/wf";
export const RUN = "wfr_test";
export const KEYS = { current: "sig_current", next: "sig_next" };

type Headers = Record<string, string>;

export interface Token {
  readonly key?: string;
  readonly subject?: string;
  readonly issuer?: string;
  /** Seconds from now. */
  readonly expiresIn?: number;
  readonly body?: string | Uint8Array;
  readonly claim?: DeliveryClaim;
  readonly algorithm?: "HS256" | "HS384" | "HS512";
  /** Overrides claims; `undefined` removes one. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

export async function sign(body: string | Uint8Array, token: Token = {}): Promise<string> {
  const hash = createHash("sha256")
    .update(token.body ?? body)
    .digest("base64url");
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: token.issuer ?? "Upstash",
    sub: token.subject ?? URL,
    iat: now,
    exp: now + (token.expiresIn ?? 300),
    nbf: 0,
    jti: "jwt_test",
    body: hash,
    ...(token.claim ? { perdure: token.claim } : {}),
    ...token.claims,
  };
  return new SignJWT(claims)
    .setProtectedHeader({ alg: token.algorithm ?? "HS256", typ: "JWT" })
    .sign(new TextEncoder().encode(token.key ?? KEYS.current));
}

export function request(body: string | undefined, headers: Headers = {}, url: string = URL): Request {
  return new Request(url, { method: "POST", headers, ...(body === undefined ? {} : { body }) });
}

export async function signed(
  body: string,
  headers: Headers = {},
  token: Token = {},
  url: string = URL,
): Promise<Request> {
  return request(body, { ...headers, [HEADER.signature]: await sign(body, token) }, url);
}

/** Headers of a run's delivery. */
export function runHeaders(more: Headers = {}): Headers {
  return {
    [HEADER.runId]: RUN,
    [HEADER.sdkVersion]: "1",
    [HEADER.createdAt]: "1700000000000",
    [HEADER.messageId]: "msg_last",
    [HEADER.retried]: "0",
    ...more,
  };
}

export function failureHeaders(more: Headers = {}): Headers {
  return {
    [HEADER.runId]: RUN,
    [HEADER.isFailure]: "true",
    [HEADER.isFailureCallback]: "true",
    [HEADER.messageId]: "msg_failure",
    ...more,
  };
}

export const base64 = (text: string): string => Buffer.from(text, "utf8").toString("base64");

export function entries(payload: string, records: readonly StepRecord[]): HistoryEntry[] {
  const bodies = [payload, ...records.map((record) => JSON.stringify(record))];
  return bodies.map((body, at) => ({
    messageId: at === bodies.length - 1 ? "msg_last" : `msg_${at}`,
    body: base64(body),
    callType: "step",
  }));
}

/** The body of a delivery. */
export function history(payload: unknown, records: readonly StepRecord[] = []): string {
  return JSON.stringify(entries(payload === undefined ? "" : JSON.stringify(payload), records));
}

export function failureBody(more: Partial<FailureBody> = {}): string {
  return JSON.stringify({
    status: 500,
    header: { "Content-Type": ["application/json"] },
    body: base64(
      JSON.stringify({ error: "TypeError", message: "boom", stack: "TypeError: boom\n    at charge" }),
    ),
    url: URL,
    sourceBody: base64('{"a":1}'),
    workflowRunId: RUN,
    workflowCreatedAt: 1_700_000_000_000,
    retried: 3,
    maxRetries: 3,
    dlqId: "1-0",
    ...more,
  });
}
