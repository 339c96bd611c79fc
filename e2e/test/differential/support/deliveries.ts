import { createHash, createHmac } from "node:crypto";

export const URL = "https://app.example.com/api/wf";
export const RUN = "wfr_test";
export const CREATED = 1_700_000_000_000;

/** A request to the endpoint. Made anew for each of the two. */
export interface Delivery {
  readonly url?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export type StepType =
  | "Run"
  | "SleepFor"
  | "SleepUntil"
  | "Call"
  | "Wait"
  | "Notify"
  | "Invoke"
  | "CreateWebhook"
  | "WaitForWebhook";

export interface Step {
  readonly stepId: number;
  readonly stepName: string;
  readonly stepType: StepType;
  readonly concurrent: number;
  readonly targetStep?: number;
  readonly out?: string;
  readonly waitEventId?: string;
  readonly timeout?: string;
  readonly waitTimeout?: boolean;
  readonly sleepFor?: number;
}

export interface Entry {
  readonly messageId: string;
  readonly body: string;
  readonly callType: "step" | "toCallback" | "fromCallback";
}

export const base64 = (value: string | Uint8Array): string => Buffer.from(value).toString("base64");

/** A step on record. */
export function done(stepId: number, stepName: string, stepType: StepType, more: Partial<Step> = {}): Step {
  return { stepId, stepName, stepType, concurrent: 1, ...more };
}

/** A `run` step on record, with its result. */
export function ran(stepId: number, stepName: string, result?: unknown, concurrent = 1): Step {
  return done(stepId, stepName, "Run", {
    ...(result === undefined ? {} : { out: JSON.stringify(result) }),
    concurrent,
  });
}

/** The plan of a group's member. */
export function plan(
  targetStep: number,
  stepName: string,
  stepType: StepType,
  more: Partial<Step> = {},
): Step {
  return { stepId: 0, stepName, stepType, concurrent: 2, targetStep, ...more };
}

/** The run's history: the payload as it was sent, and then the steps. */
export function history(steps: readonly Step[] = [], payload = '{"a":1}'): Entry[] {
  const bodies = [payload, ...steps.map((step) => JSON.stringify(step))];
  return bodies.map((body, at) => ({ messageId: `msg_${at}`, body: base64(body), callType: "step" }));
}

/** Headers of every delivery of the run. */
export const runHeaders = {
  "Content-Type": "application/json",
  "Upstash-Workflow-RunId": RUN,
  "Upstash-Workflow-Sdk-Version": "1",
  "Upstash-Workflow-CreatedAt": String(CREATED),
  "Upstash-Message-Id": "msg_last",
  "Upstash-Retried": "0",
};

interface More {
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Carries the history so far, and asks for what comes next. */
export function resume(
  steps: readonly Step[] = [],
  { headers, payload, ...more }: More & { payload?: string } = {},
): Delivery {
  const body = JSON.stringify(history(steps, payload));
  return { ...more, headers: { ...runHeaders, ...headers }, body };
}

/** A history that is too large to be sent along. */
export function lazy(messageId: string, headers: Readonly<Record<string, string>> = {}): Delivery {
  return { headers: { ...runHeaders, "Upstash-Message-Id": messageId, ...headers }, body: "" };
}

/** Which step a call's answer belongs to. */
export function ofCall(stepId: number, stepName: string, concurrent = 1): Record<string, string> {
  return {
    "Content-Type": "application/json",
    "Upstash-Workflow-RunId": RUN,
    "Upstash-Message-Id": "msg_callback",
    "Upstash-Workflow-Callback": "true",
    "Upstash-Workflow-StepId": String(stepId),
    "Upstash-Workflow-StepName": stepName,
    "Upstash-Workflow-StepType": "Call",
    "Upstash-Workflow-Concurrent": String(concurrent),
    "Upstash-Workflow-ContentType": "application/json",
  };
}

export interface CallAnswer {
  readonly status: number;
  readonly body?: string | Uint8Array;
  readonly header?: Record<string, string[]>;
  readonly retried?: number;
  readonly maxRetries?: number;
}

/** What a third party has answered, as the engine tells it. */
export function answered({
  body = "",
  header = { "content-type": ["application/json"] },
  retried = 0,
  maxRetries = 0,
  status,
}: CallAnswer): string {
  return JSON.stringify({ status, header, body: base64(body), retried, maxRetries, url: URL });
}

/** Tells that the run has failed, with what its endpoint has answered last. */
export function failed(
  body: string,
  more: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string>> = {},
): Delivery {
  return {
    headers: {
      "Content-Type": "application/json",
      "Upstash-Workflow-RunId": RUN,
      "Upstash-Workflow-Is-Failure": "true",
      "Upstash-Workflow-Failure-Callback": "true",
      "Upstash-Message-Id": "msg_failure",
      ...headers,
    },
    body: JSON.stringify({
      status: 500,
      header: { "Content-Type": ["application/json"], "X-Own": ["1"] },
      body: base64(body),
      url: URL,
      sourceBody: base64('{"a":1}'),
      workflowRunId: RUN,
      workflowCreatedAt: CREATED,
      retried: 3,
      maxRetries: 3,
      dlqId: "dlq_1",
      ...more,
    }),
  };
}

/** A delivery with a signature: of the key, over the body or another one, for the URL or another one. */
export function signed(
  delivery: Delivery,
  { key, body = delivery.body ?? "", url = URL }: { key: string; body?: string; url?: string },
): Delivery {
  const now = Math.floor(Date.now() / 1000);
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { iss: "Upstash", sub: url, exp: now + 300, nbf: now - 1, iat: now, jti: "jwt_1" };
  const hash = createHash("sha256").update(body).digest("base64url");
  const content = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ ...claims, body: hash })}`;
  const signature = createHmac("sha256", key).update(content).digest("base64url");
  return { ...delivery, headers: { ...delivery.headers, "Upstash-Signature": `${content}.${signature}` } };
}
