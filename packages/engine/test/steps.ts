import {
  CALL_FEATURES,
  FEATURES,
  forCallback,
  forward,
  HEADER,
  type InvokeEnvelope,
  parseStep,
  type StepRecord,
  type WaitBody,
} from "@perdure/core/protocol";
import {
  type Answer,
  APP,
  type Call,
  decode,
  type Endpoint,
  historyOf,
  isFailure,
  ofRun,
  ok,
  result,
  runIdOf,
  type World,
} from "./harness.ts";

export const CHILD = "https://app.test/child";
export const THIRD = "https://third.test/api";

/** What a workflow does at one of its places. */
export type Act = (at: {
  readonly id: number;
  readonly runId: string;
  readonly call: Call;
  readonly self: World;
}) => unknown;

/** A workflow of steps in a row: each is asked for once all before it are on record. Answers to calls are recorded. */
export function workflow(...steps: Act[]): Endpoint {
  return async (call, self) => {
    if (isFailure(call)) return ok("{}");
    const runId = runIdOf(call);
    if (isAnswer(call)) {
      await record({ id: 0, runId, call, self }, answered(call));
      return ok();
    }
    const done = recordsOf(call).length;
    const step = steps[done];
    if (!step) await self.end(runId, '"all done"');
    else {
      const answer = await step({ id: done + 1, runId, call, self });
      if (answer instanceof Response) return answer;
    }
    return ok();
  };
}

/** The endpoints of an app, by their URLs. */
export function app(endpoints: Record<string, Endpoint>): Endpoint {
  return (call, self) => endpoints[call.url]?.(call, self) ?? new Response("nothing here", { status: 404 });
}

export const runStep: Act = (at) => record(at, result(at.id));

/** Appends a record, with the delivery of it to where this one went. */
export function record(
  { runId, call, self }: Parameters<Act>[0],
  step: StepRecord,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return publish(self, call.url, { ...ofRun(runId, "false"), ...headers }, JSON.stringify(step));
}

export interface CallOptions {
  readonly url?: string;
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Options of the message. */
  readonly options?: Readonly<Record<string, string>>;
}

export const callStep =
  (call: CallOptions = {}): Act =>
  ({ id, runId, self }) =>
    publish(self, call.url ?? THIRD, callHeaders(runId, id, call), call.body);

/** Makes the webhook of a run that is known as `hook`. */
/** The record of a step that has made a webhook. */
export function createdWebhook(id: number, eventId: string): StepRecord {
  const webhookUrl = `http://engine.test/v2/workflows/hooks/defaultUser/wfr_1/${eventId}`;
  return result(id, { stepType: "CreateWebhook", out: JSON.stringify({ webhookUrl, eventId }) });
}

export const createHook: Act = ({ id, runId, self }) => self.append(runId, [createdWebhook(id, "hook")]);

export const waitStep =
  (eventId: string, timeout = "1h", type: "Wait" | "WaitForWebhook" = "Wait"): Act =>
  ({ id, runId, call, self }) =>
    wait(self, runId, id, eventId, { timeout, type, url: call.url });

export const invokeStep =
  (childId: string, headers: Record<string, string> = {}): Act =>
  ({ id, runId, call, self }) =>
    invoke(self, runId, id, childId, { createdAt: createdAtOf(call), headers });

function callHeaders(runId: string, id: number, { method, headers = {}, options }: CallOptions): object {
  const answer = {
    ...runHeaders(runId, "false"),
    [HEADER.callType]: "fromCallback",
    [forward(HEADER.isCallResult)]: "true",
    [forward(HEADER.stepId)]: String(id),
    [forward(HEADER.stepName)]: `step${id}`,
    [forward(HEADER.stepType)]: "Call",
    [forward(HEADER.concurrent)]: "1",
    [forward(HEADER.resultContentType)]: "application/json",
  };
  return {
    ...runHeaders(runId, "false"),
    [HEADER.featureSet]: CALL_FEATURES,
    [HEADER.sdkVersion]: "1",
    [HEADER.callType]: "toCallback",
    [HEADER.method]: method ?? "GET",
    [HEADER.contentType]: "application/json",
    [HEADER.retries]: "0",
    [HEADER.callback]: APP,
    ...mapped(headers, forward),
    ...mapped(answer, forCallback),
    ...options,
  };
}

export function wait(
  w: World,
  runId: string,
  id: number,
  eventId: string,
  {
    timeout = "1h",
    type: stepType = "Wait",
    url = APP,
  }: { timeout?: string; type?: "Wait" | "WaitForWebhook"; url?: string } = {},
): Promise<Answer> {
  const headers = ofRun(runId, "false");
  const body: WaitBody = {
    url,
    timeout,
    timeoutUrl: url,
    timeoutHeaders: asLists(headers),
    step: { stepId: id, stepName: `step${id}`, stepType, concurrent: 1 },
  };
  return w.ask("POST", `/v2/wait/${encodeURIComponent(eventId)}`, { headers, body: JSON.stringify(body) });
}

export interface InvokeOptions {
  readonly createdAt?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly depth?: number;
}

export function invoke(
  w: World,
  runId: string,
  id: number,
  childId: string,
  { createdAt = 0, headers, depth = 1 }: InvokeOptions = {},
): Promise<Answer> {
  const envelope: InvokeEnvelope = {
    body: '{"for":"child"}',
    headers: asLists(ofRun(runId, "false")),
    workflowRunId: runId,
    workflowRunCreatedAt: createdAt,
    workflowUrl: APP,
    step: { stepId: id, stepName: `step${id}`, stepType: "Invoke", concurrent: 1 },
  };
  const start = {
    ...ofRun(childId, "true"),
    [HEADER.workflowUrl]: CHILD,
    [HEADER.invoke]: "true",
    [forward(HEADER.invokeCount)]: String(depth),
    ...headers,
  };
  return publish(w, CHILD, start, JSON.stringify(envelope));
}

/** As one item of a batch. */
export function publish(w: World, destination: string, headers: object, body?: string): Promise<Answer> {
  return w.ask("POST", "/v2/batch", { body: JSON.stringify([{ destination, headers, body }]) });
}

function runHeaders(runId: string, init: "true" | "false"): Record<string, string> {
  return {
    [HEADER.runId]: runId,
    [HEADER.init]: init,
    [HEADER.workflowUrl]: APP,
    [HEADER.featureSet]: FEATURES,
  };
}

function mapped(headers: Readonly<Record<string, string>>, name: (of: string) => string): object {
  return Object.fromEntries(Object.entries(headers).map(([of, value]) => [name(of), value]));
}

function asLists(headers: Readonly<Record<string, string>>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]));
}

export function isAnswer(call: Call): boolean {
  return call.headers.has(HEADER.isCallResult);
}

/** The record that an endpoint makes of a call's answer. */
export function answered({ headers, text }: Call): StepRecord {
  const { status, body, header } = JSON.parse(text);
  const out = JSON.stringify({ status, body: atob(body), header });
  const [stepId, stepName] = [Number(headers.get(HEADER.stepId)), headers.get(HEADER.stepName) ?? ""];
  return { stepId, stepName, stepType: "Call", out, concurrent: Number(headers.get(HEADER.concurrent)) };
}

export function recordsOf(call: Call): StepRecord[] {
  return historyOf(call)
    .slice(1)
    .filter((entry) => entry.callType === "step")
    .map((entry) => parseStep(decode(entry.body)));
}

/** Deliveries to one URL, without those of failures. */
export function to(w: World, url: string): Call[] {
  return w.calls.filter((call) => call.url === url && !isFailure(call));
}

export function createdAtOf(call: Call): number {
  return Number(call.headers.get(HEADER.createdAt));
}
