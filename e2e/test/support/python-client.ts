import { DEV_CREDENTIALS } from "@perdure/core/protocol";

/** What differs between releases of the Python package `upstash_workflow`. */
export interface PythonRelease {
  readonly name: string;
  /** The value of `Upstash-Feature-Set`; undefined when the release doesn't send the header. */
  readonly features: string | undefined;
  /** Headers of each answer. */
  readonly answers: Readonly<Record<string, string>>;
  /** Whether the release has failure functions. */
  readonly reportsFailures: boolean;
}

export const pythonReleases: readonly PythonRelease[] = [
  { name: "0.1.2", features: undefined, answers: {}, reportsFailures: false },
  {
    name: "2.0.0",
    features: "LazyFetch,InitialBody,WF_DetectTrigger",
    answers: { "Upstash-Workflow-Sdk-Version": "1" },
    reportsFailures: true,
  },
];

/** One step of the workflow that {@link PythonEndpoint} serves. The package has no groups, waits or invocations. */
export type PythonStep =
  | { readonly name: string; readonly run: () => unknown }
  | { readonly name: string; readonly sleepFor: number | string }
  | { readonly name: string; readonly sleepUntil: number }
  | { readonly name: string; readonly call: string; readonly method: string; readonly body: unknown };

/** A request to the engine, as the package sends it. */
interface Sent {
  readonly method: "POST" | "DELETE";
  readonly path: string;
  readonly headers?: Headers_;
  readonly body?: string;
}

type Headers_ = Readonly<Record<string, string>>;

interface Position {
  readonly url: string;
  readonly runId: string;
  /** Headers of the delivery, which the package sends back with each request. */
  readonly received: Headers_;
}

const ADDED_ON_THE_WAY = /^(?:upstash-workflow-|x-vercel-|x-forwarded-)/;
const JSON_TYPE = "application/json";

/** Sends the requests of a workflow endpoint in Python, in its order and with its headers and records. */
export class PythonEndpoint {
  /** The results of the steps, as the workflow's code sees them. */
  results: unknown[] = [];
  payload: unknown;
  readonly failures: { readonly status: number; readonly body: unknown; readonly payload: string }[] = [];
  readonly #release: PythonRelease;
  readonly #engineUrl: string;
  readonly #steps: readonly PythonStep[];
  readonly #retries: number | undefined;

  /** @param retries the option of `serve`; undefined for the package's default, which it doesn't send */
  constructor(release: PythonRelease, engineUrl: string, steps: readonly PythonStep[], retries?: number) {
    this.#retries = retries;
    this.#release = release;
    this.#engineUrl = engineUrl;
    this.#steps = steps;
  }

  readonly handler = async (request: Request): Promise<Response> => {
    const received = Object.fromEntries(
      [...request.headers].filter(([name]) => !ADDED_ON_THE_WAY.test(name)),
    );
    const runId = request.headers.get("Upstash-Workflow-RunId") ?? "";
    const body = await request.text();
    const position = { url: request.url, runId, received };
    const isFailure = request.headers.get("Upstash-Workflow-Is-Failure") === "true";
    if (this.#release.reportsFailures && isFailure) return this.#failed(body);
    if (request.headers.has("Upstash-Workflow-Callback"))
      await this.#send(this.#callResult(position, request.headers, body));
    else if (request.headers.has("Upstash-Workflow-Sdk-Version")) return this.#resume(position, body);
    else await this.#send(this.#trigger({ ...position, runId: `wfr_${crypto.randomUUID()}` }, body));
    return this.#answer(200, { workflowRunId: runId });
  };

  async #resume(position: Position, body: string): Promise<Response> {
    const [first, ...others] = JSON.parse(body) as { body: string; callType: string }[];
    this.payload = JSON.parse(decode(first?.body ?? ""));
    const records = others
      .filter(({ callType }) => callType === "step")
      .map((entry) => JSON.parse(decode(entry.body)) as { out: string });
    // The package reads `out` of each record as JSON, and needs it there.
    this.results = records.map(({ out }) => JSON.parse(out));
    const step = this.#steps[records.length];
    try {
      await this.#send(step ? this.#step(position, records.length + 1, step) : end(position));
    } catch (error) {
      return this.#answer(500, { error: "ValueError", message: String(error) });
    }
    return this.#answer(200, { workflowRunId: position.runId });
  }

  #trigger(position: Position, payload: string): Sent {
    const headers = { ...this.#headers(position, "true"), ...this.#forwarded(position) };
    return publish(position.url, headers, payload);
  }

  #step(position: Position, id: number, step: PythonStep): Sent {
    if ("call" in step) return this.#call(position, id, step);
    const sleepFor = "sleepFor" in step ? step.sleepFor : null;
    const sleepUntil = "sleepUntil" in step ? step.sleepUntil : null;
    const record = {
      method: "POST",
      stepId: id,
      stepName: step.name,
      stepType: "run" in step ? "Run" : sleepFor === null ? "SleepUntil" : "SleepFor",
      out: JSON.stringify("run" in step ? step.run() : null),
      sleepFor,
      sleepUntil,
      concurrent: 1,
      targetStep: null,
      callUrl: null,
      callMethod: null,
      callBody: null,
      callHeaders: null,
    };
    const headers = {
      "Content-Type": JSON_TYPE,
      ...this.#headers(position, "false"),
      ...this.#forwarded(position),
      ...(sleepFor === null
        ? {}
        : { "Upstash-Delay": typeof sleepFor === "number" ? `${sleepFor}s` : sleepFor }),
      ...(sleepUntil === null ? {} : { "Upstash-Not-Before": String(sleepUntil) }),
    };
    return batch(position.url, headers, record);
  }

  #call(position: Position, id: number, step: Extract<PythonStep, { call: string }>): Sent {
    const { url, runId } = position;
    const headers = {
      "Content-Type": JSON_TYPE,
      "Upstash-Method": step.method,
      ...this.#headers(position, "false", "call"),
      ...this.#forwarded(position, "Upstash-Callback-Forward-"),
      ...(this.#release.features === undefined ? {} : { "Upstash-Feature-Set": "WF_NoDelete,InitialBody" }),
      "Upstash-Retries": "0",
      "Upstash-Callback-Retries": "3",
      "Upstash-Failure-Callback-Retries": "3",
      "Upstash-Forward-X-Own": "own",
      "Upstash-Callback": url,
      "Upstash-Callback-Workflow-RunId": runId,
      "Upstash-Callback-Workflow-CallType": "fromCallback",
      "Upstash-Callback-Workflow-Init": "false",
      "Upstash-Callback-Workflow-Url": url,
      ...(this.#release.features === undefined
        ? {}
        : { "Upstash-Callback-Feature-Set": "LazyFetch,InitialBody" }),
      "Upstash-Callback-Forward-Upstash-Workflow-Callback": "true",
      "Upstash-Callback-Forward-Upstash-Workflow-StepId": String(id),
      "Upstash-Callback-Forward-Upstash-Workflow-StepName": step.name,
      "Upstash-Callback-Forward-Upstash-Workflow-StepType": "Call",
      "Upstash-Callback-Forward-Upstash-Workflow-Concurrent": "1",
      "Upstash-Callback-Forward-Upstash-Workflow-ContentType": JSON_TYPE,
      "Upstash-Workflow-CallType": "toCallback",
    };
    return batch(step.call, headers, step.body);
  }

  #callResult(position: Position, headers: Headers, body: string): Sent {
    const { status, header, body: encoded = "" } = JSON.parse(body) as Record<string, string>;
    const record = {
      stepId: Number(headers.get("Upstash-Workflow-StepId")),
      stepName: headers.get("Upstash-Workflow-StepName"),
      stepType: headers.get("Upstash-Workflow-StepType"),
      out: JSON.stringify({ status, body: decode(encoded), header }),
      concurrent: Number(headers.get("Upstash-Workflow-Concurrent")),
    };
    const sent = { ...this.#headers(position, "false"), ...this.#forwarded(position) };
    return publish(position.url, sent, JSON.stringify(record));
  }

  /** Options of every request; a call has those of the report of its answer, too, but no URL for it. */
  #headers({ url, runId }: Position, init: "true" | "false", kind: "step" | "call" = "step"): Headers_ {
    const retries = this.#retries === undefined ? {} : { Retries: String(this.#retries) };
    const { features, reportsFailures } = this.#release;
    const report = {
      "Forward-Upstash-Workflow-Is-Failure": "true",
      "Forward-Upstash-Workflow-Failure-Callback": "true",
      "Workflow-Runid": runId,
      "Workflow-Init": "false",
      "Workflow-Url": url,
      "Workflow-Calltype": "failureCall",
    };
    return {
      "Upstash-Workflow-Init": init,
      "Upstash-Workflow-RunId": runId,
      "Upstash-Workflow-Url": url,
      ...(features === undefined ? {} : { "Upstash-Feature-Set": features }),
      ...(kind === "call" ? {} : { "Upstash-Forward-Upstash-Workflow-Sdk-Version": "1" }),
      ...under("Upstash-", retries),
      ...under("Upstash-Failure-Callback-", retries),
      ...(reportsFailures ? under("Upstash-Failure-Callback-", report) : {}),
      ...(reportsFailures && kind === "call" ? under("Upstash-Callback-Failure-Callback-", report) : {}),
      ...(reportsFailures && kind === "step" ? { "Upstash-Failure-Callback": url } : {}),
    };
  }

  /** Everything that came in, the connection's own headers and the signature among it. */
  #forwarded({ received }: Position, prefix = "Upstash-Forward-"): Headers_ {
    return { ...under(prefix, received), ...under("Upstash-Failure-Callback-Forward-", received) };
  }

  #failed(body: string): Response {
    const { status, body: answer, sourceBody } = JSON.parse(body);
    this.failures.push({ status, body: JSON.parse(decode(answer)), payload: decode(sourceBody) });
    return this.#answer(200, { result: null });
  }

  #answer(status: number, body: object): Response {
    return Response.json(body, { status, headers: this.#release.answers });
  }

  async #send({ method, path, headers, body }: Sent): Promise<void> {
    const response = await fetch(this.#engineUrl + path, {
      method,
      headers: { Authorization: `Bearer ${DEV_CREDENTIALS.token}`, ...headers },
      ...(body === undefined ? {} : { body }),
    });
    if (!response.ok)
      throw new Error(`${method} ${path} answers ${response.status}: ${await response.text()}`);
    await response.arrayBuffer();
  }
}

function under(prefix: string, headers: Headers_): Headers_ {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [prefix + name, value]));
}

function publish(url: string, headers: Headers_, body: string): Sent {
  return {
    method: "POST",
    path: `/v2/publish/${url}`,
    headers: { "Content-Type": JSON_TYPE, ...headers },
    body,
  };
}

function batch(destination: string, headers: Headers_, body: unknown): Sent {
  const item = { destination, headers, body: JSON.stringify(body), queue: null };
  return {
    method: "POST",
    path: "/v2/batch",
    headers: { "Content-Type": JSON_TYPE },
    body: JSON.stringify([item]),
  };
}

function end({ runId }: Position): Sent {
  return { method: "DELETE", path: `/v2/workflows/runs/${runId}?cancel=false` };
}

function decode(base64: string): string {
  return Buffer.from(base64, "base64").toString();
}
