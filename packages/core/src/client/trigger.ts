import type { Engine } from "../engine-client/engine.ts";
import { randomId, toRunId } from "../protocol/ids.ts";
import { type Message, type RunOptions, startMessage } from "../protocol/message.ts";
import { type Invokable, type InvokeBody, type PayloadOf, toBody } from "../steps/index.ts";
import { mustBe } from "../util/check.ts";
import { WorkflowError } from "../util/errors.ts";
import { checkOptions } from "../util/options.ts";
import { checkUrl } from "../util/url.ts";
import type { EndedRun } from "./run.ts";
import { deadlineOf, type WaitForRun } from "./run-waiter.ts";

/** A run to start, and its delivery options. */
export interface TriggerOptions extends RunOptions {
  /** The workflow's endpoint, as the engine reaches it. */
  readonly url: string;
  /** The payload: a string is sent as it is, everything else as JSON. */
  readonly body?: unknown;
  /** A name for the run: its id is `wfr_` and this name. While a run with this id is live, the engine starts no second one. */
  readonly workflowRunId?: string;
  /** Omits the headers with the package's and the runtime's name. */
  readonly disableTelemetry?: boolean;
  /** Always on; older code sets it. */
  readonly useFailureFunction?: true;
  /** Always on; older code sets it. */
  readonly keepTriggerConfig?: true;
}

/** {@link TriggerOptions} whose `body` has the payload's type, for a workflow's type such as `typeof order`. */
export type TriggerOptionsOf<Target> = "~types" extends keyof Target
  ? Omit<TriggerOptions, "body"> & InvokeBody<PayloadOf<Target>>
  : TriggerOptions;

/** Options for a run of a served workflow. */
export interface TriggerWorkflowOptions extends Omit<TriggerOptions, "url" | "body"> {
  /** The workflow's endpoint, as the engine reaches it. Default: the option `url` of `serve` or `createWorkflow`. */
  readonly url?: string;
}

/** The started run. */
export interface TriggerResult<Result = unknown> {
  /** Never set at runtime: it only carries the type of the run's result. */
  readonly "~result"?: Result;
  readonly workflowRunId: string;
  /** True when a run with this id was already live: it continues, and the engine started no other. */
  readonly deduplicated: boolean;
}

/** Tells `trigger` to wait for the ends of the runs that it starts. */
export interface AndWait {
  /** `true`: without a limit. */
  readonly wait: true | WaitForRun;
}

/** A run that `trigger` has started, or found live, and that has ended. */
export type TriggeredRun<Result = unknown> = EndedRun<Result> & TriggerResult<Result>;

/** The runs to start, and the wait for their ends. */
interface TriggerRequest {
  readonly all: readonly TriggerOptions[];
  readonly and: AndWait | undefined;
}

/** Reads the arguments of `trigger`: options and a wait; or a workflow, its payload and options. */
export function readTrigger(
  target: TriggerOptions | readonly TriggerOptions[] | Invokable,
  second: unknown,
  third: TriggerWorkflowOptions & Partial<AndWait> = {},
): TriggerRequest {
  if (!isWorkflow(target))
    return { all: [target as TriggerOptions | TriggerOptions[]].flat(), and: second as AndWait | undefined };
  const { wait, ...options } = third;
  const { url = "" } = target as { readonly url?: string };
  return { all: [{ url, ...options, body: second }], and: wait && { wait } };
}

const TRIGGER_OPTIONS =
  "url body headers retries retryDelay flowControl timeout label failureRetries failureRetryDelay failureUrl delay notBefore redact workflowRunId disableTelemetry useFailureFunction keepTriggerConfig";

/**
 * A workflow has functions, or is one: a handler, or the route of a framework. Options with a function are a mistake, which
 * {@link toMessage} names.
 */
function isWorkflow(target: object): boolean {
  if (typeof target === "function") return true;
  // Both may have a url.
  const options = TRIGGER_OPTIONS.split(" ").slice(1);
  return (
    Object.values(target).some((part) => typeof part === "function") &&
    !options.some((name) => name in target)
  );
}

/** @throws TypeError for invalid options, before any run starts */
export function toWait(and: AndWait): WaitForRun {
  checkOptions("trigger", and, "wait");
  const { wait } = and;
  if (wait !== true && typeof wait !== "object")
    throw mustBe("wait", 'true, or limits such as { timeout: "1m" }', wait);
  const limits = wait === true ? {} : wait;
  deadlineOf(limits);
  return limits;
}

/**
 * Starts runs with one request.
 *
 * @throws TypeError for invalid options, before the client sends anything
 * @throws WorkflowError `engine_refused` when the engine refuses a run; its `cause` lists the result of each run
 */
export async function trigger(engine: Engine, all: readonly TriggerOptions[]): Promise<TriggerResult[]> {
  const runIds = all.map(({ workflowRunId }) => toRunId(workflowRunId));
  const receipts = await engine.create(all.map((options, at) => toMessage(options, runIds[at] as string)));
  const results = receipts.map((receipt, at) =>
    receipt instanceof Error
      ? receipt
      : { workflowRunId: runIds[at] as string, deduplicated: receipt.deduplicated },
  );
  const refused = results.filter((result) => result instanceof Error);
  if (refused.length === 0) return results as TriggerResult[];
  const reasons = refused.map((error) => error.message).join("; ");
  throw new WorkflowError(
    "engine_refused",
    `The engine refused ${refused.length} of ${all.length} runs: ${reasons}`,
    { cause: results },
  );
}

function toMessage(options: TriggerOptions, runId: string): Message {
  checkOptions("trigger", options, TRIGGER_OPTIONS);
  const url = checkUrl("url", options.url);
  for (const option of ["useFailureFunction", "keepTriggerConfig"] as const) {
    if ((options[option] ?? true) !== true) throw new TypeError(`${option} can't be turned off.`);
  }
  const body = toBody(options.body, "The payload");
  const start = { ...options, url, runId, body, triggerId: randomId() };
  const message = startMessage(start);
  return options.disableTelemetry ? { ...message, withoutTelemetry: true } : message;
}
