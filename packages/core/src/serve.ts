import { callResult } from "./handlers/call-result.ts";
import type { DefinitionHost, DeliveryContext, EndpointDefinition } from "./handlers/delivery-context.ts";
import { around } from "./handlers/events.ts";
import { cancel, failure } from "./handlers/failure.ts";
import { reportFailure } from "./handlers/report-failure.ts";
import { resume } from "./handlers/resume.ts";
import { start } from "./handlers/start.ts";
import { loggingMiddleware, type WorkflowMiddleware } from "./middleware.ts";
import { encodeCapabilities } from "./protocol/capabilities.ts";
import { type DeferredRunOptions, pickDeferredOptions } from "./protocol/deferred-options.ts";
import { classify, type Delivery, type DeliveryKind } from "./protocol/delivery.ts";
import * as HEADER from "./protocol/header-names.ts";
import { checkRunOptions } from "./protocol/message.ts";
import { ifDefined } from "./protocol/options.ts";
import type { Outcome, Refusal } from "./protocol/outcome.ts";
import { type RetryDelayOption, toRetryDelay } from "./protocol/retry-delay.ts";
import { isPositive } from "./protocol/step.ts";
import type { Env } from "./protocol/variables.ts";
import type { InlineLimits } from "./replay/inline-invocation.ts";
import { authorizeRequest, isAuthenticated } from "./server/authorize.ts";
import { createConfigResolver, type EndpointConfig, type EndpointOptions } from "./server/endpoint-config.ts";
import { readHead, readRequest } from "./server/read-request.ts";
import { respond } from "./server/respond.ts";
import { checkOnExhausted, type Invokable } from "./steps/index.ts";
import { checkFunction, mustBe, safely } from "./util/check.ts";
import { writeLine } from "./util/console.ts";
import { type Duration, toMilliseconds, toSeconds } from "./util/duration.ts";
import { WorkflowError, type WorkflowErrorCode } from "./util/errors.ts";
import type { Jsonify } from "./util/jsonify.ts";
import { checkOptions } from "./util/options.ts";
import { testHost } from "./util/test-host.ts";
import {
  type CancelFunction,
  type FailureFunction,
  type PayloadOptions,
  payloadParser,
  type RecordableWorkflow,
  type WorkflowFunction,
} from "./workflow.ts";

/** Options of {@link serve}. All are optional; the environment supplies URLs, tokens and keys that are left out. */
export type ServeOptions<Payload = unknown, Result = unknown> = EndpointOptions &
  PayloadOptions<Payload> & {
    /** Called when a run has failed and has no retries left, for every cause and every kind of start. */
    readonly failureFunction?: FailureFunction<Payload>;
    /**
     * Retries of each delivery of a run, after the first attempt. This option and the four below hold for each run
     * of the workflow, unless its trigger, its invocation or its schedule says otherwise. On engines other than
     * Perdure's they hold only for runs that a plain POST, a published message or a schedule starts.
     * Default: the engine's, 3.
     */
    readonly retries?: number;
    /** The wait before each retry: seconds, a duration, or an expression in milliseconds: `"1000 * pow(2, retried)"`. */
    readonly retryDelay?: RetryDelayOption;
    /** Retries of the failure function. Default: the run's. */
    readonly failureRetries?: number;
    /** As `retryDelay`, for the failure function. Default: the run's. */
    readonly failureRetryDelay?: RetryDelayOption;
    /**
     * Seconds or a duration from a run's start; the engine fails a run that lasts longer. Perdure's own engine only.
     */
    readonly timeout?: number | Duration;
    /**
     * Default for each step whose work the endpoint does itself. `"throw"`: a step whose retries
     * are used up rejects with a `WorkflowStepError`. `"fail"`, the default: the run fails.
     */
    readonly onExhausted?: "throw" | "fail";
    /** Called when a run was cancelled, to clean up. Perdure's own engine only. */
    readonly cancelFunction?: CancelFunction<Payload>;
    /** Whether the runtime also rolls back the steps of a cancelled run, before `cancelFunction`. Default: false. */
    readonly rollbackOnCancel?: boolean;
    /**
     * The limits of one invocation that runs inline: it runs one step after the other, until one of them is reached. `false`:
     * each invocation runs one step. Perdure's own engine only; on other engines each invocation runs one step.
     */
    readonly inline?: InlineOptions | false;
    /** Observers of the runs' events. */
    readonly middlewares?: readonly WorkflowMiddleware<NoInfer<Payload>, NoInfer<Result>>[];
    /** Logs the runs' events to the console. Default: false. */
    readonly verbose?: boolean;
    /** Maximum size of a request's body in bytes; the endpoint answers 413 to a larger one. Default: 64 MiB. */
    readonly bodyLimit?: number;
  };

/** The limits of one invocation that runs inline. No step begins once one of them is reached; another delivery continues the run. */
export interface InlineOptions {
  /**
   * Seconds or a duration from the invocation's start. A step or code that is running isn't cut off. Default: `"10s"`, less in
   * the adapters of platforms that end a request sooner.
   */
  readonly maxDuration?: number | Duration;
  /** The number of steps whose work the invocation begins. Default: 1000, and 20 on Cloudflare Workers. */
  readonly maxSteps?: number;
  /**
   * Seconds or a duration. The invocation waits for a retry that is due within it, when nothing else can go on. Default: `"1s"`.
   */
  readonly maxWait?: number | Duration;
}

/**
 * Options of a workflow without a schema and a parser: its payload is the JSON form of `Payload`, in which a `Date` is a
 * string.
 */
export type JsonServeOptions<Payload = unknown, Result = unknown> = ServeOptions<Jsonify<Payload>, Result> & {
  readonly schema?: never;
  readonly initialPayloadParser?: never;
};

/**
 * Answers a request.
 *
 * @param env the platform's environment variables. Default: `process.env`
 * @param limits the platform's limits of one invocation, for those that the option `inline` leaves out. Adapters pass them
 */
export type Handler = (request: Request, env?: Env, limits?: InlineOptions) => Promise<Response>;

/** A served workflow. A client can start it, with its types. */
export interface Endpoint<Payload = unknown, Result = unknown> extends Invokable<Payload, Result> {
  readonly handler: Handler;
  /** The option `url`. */
  readonly url: string | undefined;
}

/** Every option that several workflows can share. */
export const SHARED_OPTIONS =
  "baseUrl trustProxy env qstashClient keys clockTolerance replayGuard receiver authorize verify allowedHosts disableTelemetry failureFunction onExhausted retries retryDelay failureRetries failureRetryDelay timeout cancelFunction rollbackOnCancel inline middlewares verbose bodyLimit";
/** Every option of {@link serve}. */
export const SERVE_OPTIONS: `${typeof SHARED_OPTIONS} url schema initialPayloadParser` = `${SHARED_OPTIONS} url schema initialPayloadParser`;

const DEFAULT_BODY_LIMIT = 64 * 1024 * 1024;

/**
 * Creates a workflow's endpoint: one handler for the engine's deliveries and for requests that start a run.
 *
 * `serve<Payload>` types the payload as JSON carries it: a `Date` is a string. With a schema or a parser, the payload has
 * the type of their output. Where the type of `context` is written instead, as in the example, TypeScript also infers the
 * result's type, which a typed client and a test use.
 *
 * @throws TypeError for unknown or invalid options
 * @example
 * ```ts
 * const { handler } = serve(async (context: WorkflowContext<{ name: string }>) => {
 *   await context.run("greet", () => console.log("hello", context.requestPayload.name));
 *   await context.sleep("a day", "1d");
 *   await context.run("remind", () => console.log("bye"));
 * });
 * ```
 */
export function serve<Payload = unknown, Result = unknown>(
  workflow: RecordableWorkflow<Jsonify<Payload>, Result>,
  options?: JsonServeOptions<Payload, Result>,
): Endpoint<Payload, Result>;
export function serve<Payload = unknown, Result = unknown>(
  workflow: RecordableWorkflow<Payload, Result>,
  options?: ServeOptions<Payload, Result>,
): Endpoint<Payload, Result>;
export function serve<Payload, Result>(
  workflow: RecordableWorkflow<Payload, Result>,
  options: ServeOptions<Payload, Result> = {},
): Endpoint<Payload, Result> {
  return { handler: handlerOf(workflow, options, new Map()), url: options.url };
}

/** Like {@link serve}, for one of several workflows; `siblings` maps each to the last segment of its URL. */
export function handlerOf<Payload, Result>(
  workflow: WorkflowFunction<Payload, Result>,
  options: ServeOptions<Payload, Result>,
  siblings: ReadonlyMap<object, string>,
): Handler {
  const { failureFunction, cancelFunction, bodyLimit = DEFAULT_BODY_LIMIT, trustProxy = false } = options;
  checkFunction("A workflow", workflow);
  checkOptions("serve", options, SERVE_OPTIONS);
  if (failureFunction) checkFunction("failureFunction", failureFunction);
  if (cancelFunction) checkFunction("cancelFunction", cancelFunction);
  if (!(bodyLimit >= 0)) throw mustBe("bodyLimit", "a number of bytes", bodyLimit);
  const runOptions = pickDeferredOptions(options);
  checkOnExhausted(options.onExhausted);
  // Fail at startup, not on the first run.
  checkRunOptions(runOptions);
  const endpoint: EndpointDefinition = {
    workflow: workflow as WorkflowFunction,
    failureFunction: failureFunction as FailureFunction | undefined,
    cancelFunction: cancelFunction as CancelFunction | undefined,
    rollbackOnCancel: options.rollbackOnCancel ?? false,
    parsePayload: payloadParser(options as PayloadOptions<unknown>),
    runOptions,
    onExhausted: options.onExhausted,
    capabilities: encodeCapabilitiesOf(Boolean(cancelFunction || options.rollbackOnCancel), runOptions),
    middlewares: [
      (options.middlewares ?? []) as readonly WorkflowMiddleware[],
      options.verbose ? loggingMiddleware : [],
    ].flat(),
    inline: toInlineLimits(options.inline),
    trustProxy,
    bodyLimit,
    siblings,
  };
  const resolveConfig = createConfigResolver(options);
  return (request, env, limits) => {
    const definition = limits ? { ...endpoint, inline: toInlineLimits(options.inline, limits) } : endpoint;
    return handleRequest(definition, request, (headers) => resolveConfig(env, headers));
  };
}

/** A Worker may send 50 requests while it answers one: an append for each step leaves room for those of the steps. */
const MAX_STEPS_ON_WORKERS = 20;

/**
 * @param platform limits that replace the defaults
 * @throws TypeError for invalid limits
 */
function toInlineLimits(options: InlineOptions | false = {}, platform?: InlineOptions): InlineLimits | false {
  if (options === false) return false;
  checkOptions("inline", options, "maxDuration maxSteps maxWait");
  const isOnWorkers = globalThis.navigator?.userAgent === "Cloudflare-Workers";
  const {
    maxDuration = "10s",
    maxSteps = isOnWorkers ? MAX_STEPS_ON_WORKERS : 1000,
    maxWait = "1s",
  } = { ...platform, ...options };
  if (!isPositive(maxSteps)) throw mustBe("inline.maxSteps", "a whole number from 1 on", maxSteps);
  return {
    maxDuration: toMilliseconds(maxDuration, "inline.maxDuration"),
    maxSteps,
    maxWait: toMilliseconds(maxWait, "inline.maxWait"),
  };
}

function encodeCapabilitiesOf(onCancel: boolean, options: DeferredRunOptions): string {
  return encodeCapabilities({
    onCancel,
    timeout: ifDefined(options.timeout, (timeout) => toSeconds(timeout, "timeout")),
    retries: options.retries,
    retryDelay: toRetryDelay(options.retryDelay, "retryDelay"),
    failureRetries: options.failureRetries,
    failureRetryDelay: toRetryDelay(options.failureRetryDelay, "failureRetryDelay"),
  });
}

async function handleRequest(
  definition: EndpointDefinition,
  received: Request,
  resolveConfig: (headers: Headers) => EndpointConfig,
): Promise<Response> {
  const endpoint = testHost<DefinitionHost>()?.replace(definition) ?? definition;
  let authenticated = false;
  try {
    const head = readHead(received, endpoint.trustProxy);
    if ("kind" in head) return respond(head, authenticated);
    const { headers } = head;
    const delivery = classify(headers);
    const config = configOrMisconfigured(() => resolveConfig(headers));
    const read = () => readRequest(head, endpoint.bodyLimit);
    const request = await authorizeRequest(config.access, head, delivery, read);
    if ("kind" in request) return respond(request, authenticated);
    authenticated = isAuthenticated(config.access);
    const outcome = await handle({ endpoint, config, request, delivery, authenticated });
    if (outcome.kind === "failed") await reportFailure(endpoint, delivery, outcome);
    const response = respond(outcome, authenticated, delivery.ownEngine);
    if (delivery.ownEngine) response.headers.set(HEADER.capabilities, endpoint.capabilities);
    return response;
  } catch (error) {
    return respond(toFailure(error), authenticated);
  }
}

// Details of the setup go to the console only: the caller isn't authorized yet.
function configOrMisconfigured(resolveConfig: () => EndpointConfig): EndpointConfig {
  try {
    return resolveConfig();
  } catch (error) {
    writeLine("error", "The endpoint is misconfigured:", error);
    throw new WorkflowError("misconfigured", "The endpoint is misconfigured. Its console says why.");
  }
}

type ContextOf<Kind extends DeliveryKind> = DeliveryContext<Extract<Delivery, { kind: Kind }>>;

const HANDLERS: { readonly [Kind in DeliveryKind]: (ctx: ContextOf<Kind>) => Promise<Outcome> } = {
  start,
  resume,
  callResult,
  failure,
  cancel,
};

async function handle(ctx: DeliveryContext): Promise<Outcome> {
  // Each handler takes the deliveries of its own kind.
  const handler = HANDLERS[ctx.delivery.kind] as (ctx: DeliveryContext) => Promise<Outcome>;
  return around(
    ctx,
    { kind: "delivery" },
    () => handler(ctx).catch(toFailure),
    (outcome) => (outcome.kind === "failed" ? outcome : undefined),
  );
}

/** Classifies an error thrown outside of a step: an unreadable request is refused, any other is a failed attempt. */
function toFailure(error: unknown): Extract<Outcome, { kind: "failed" }> | Refusal {
  // A failure function may throw a proxy that can't be read.
  const unreadable = safely(() => error instanceof WorkflowError && UNREADABLE.includes(error.code));
  return unreadable
    ? { kind: "refused", status: 400, error: error as WorkflowError }
    : { kind: "failed", error };
}

const UNREADABLE: readonly WorkflowErrorCode[] = ["malformed_body", "missing_run_id", "protocol_mismatch"];
