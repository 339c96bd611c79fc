import type { RunContext, WorkflowContext } from "./context.ts";
import { writeLine } from "./util/console.ts";
import { messageOf } from "./util/errors.ts";

/** The events of a run that a middleware can observe, each with its arguments. */
export interface MiddlewareEvents<Payload = unknown, Result = unknown> {
  /** A run's first delivery, and each retry of it. */
  readonly runStarted: { readonly context: WorkflowContext<Payload> };
  /** The endpoint begins a step's work, or requests it from the engine. */
  readonly beforeExecution: { readonly context: WorkflowContext<Payload>; readonly stepName: string };
  /** The engine has recorded a step's result. The delivery with the result emits this event. */
  readonly afterExecution: {
    readonly context: WorkflowContext<Payload>;
    readonly stepName: string;
    readonly result: unknown;
  };
  /** The workflow has returned. */
  readonly runCompleted: { readonly context: WorkflowContext<Payload>; readonly result: Result };
  /** The run has failed, without retries left. Its failure function follows. */
  readonly runFailed: {
    readonly context: RunContext<Payload>;
    readonly failStatus: number;
    readonly failResponse: string;
  };
  /** The failure function has returned, or thrown. */
  readonly failureFunctionRan: {
    readonly context: RunContext<Payload>;
    readonly result?: unknown;
    readonly error?: unknown;
  };
  /** An attempt failed, or one of this middleware's callbacks did. */
  readonly onError: { readonly workflowRunId?: string | undefined; readonly error: Error };
  readonly onWarning: { readonly workflowRunId?: string | undefined; readonly warning: string };
  readonly onInfo: { readonly workflowRunId?: string | undefined; readonly info: string };
}

/** A middleware's functions, one per event. The runtime awaits each; an error that one throws doesn't affect the run. */
export type MiddlewareCallbacks<Payload = unknown, Result = unknown> = {
  readonly [Event in keyof MiddlewareEvents]?: (
    details: MiddlewareEvents<Payload, Result>[Event],
  ) => void | Promise<void>;
};

/** The code that a middleware's `around` runs: all of a delivery, or one call of user code within it. */
export interface MiddlewareScope {
  readonly kind: "delivery" | "step" | "rollback" | "failureFunction" | "cancelFunction";
  /** Undefined for a request that starts a run. */
  readonly workflowRunId: string | undefined;
  /** The workflow's URL. */
  readonly url: string;
  /** The headers with which the run was started. */
  readonly headers: Headers;
  /** 1 for the first attempt: of a step for its work, of the delivery for everything else. */
  readonly attempt: number;
  /** The step's name, for a step's work and for a rollback. */
  readonly stepName?: string;
}

/**
 * Runs code inside of the middleware's own, for example in a span: `next` runs it, and rejects when it fails.
 * The code runs once, with its own outcome, whatever the function does.
 */
export type Around = (scope: MiddlewareScope, next: () => Promise<void>) => Promise<void>;

/** The functions of a middleware that do more than observe events. */
interface Tracing {
  readonly around?: Around;
  /** Returns headers for each call, and for each child run, that a run asks for. The step's own headers win. */
  readonly outgoingHeaders?: () => Readonly<Record<string, string>>;
}

type Callbacks<Payload, Result> =
  | MiddlewareCallbacks<Payload, Result>
  | Promise<MiddlewareCallbacks<Payload, Result>>;

/**
 * Observes the events of runs. An error that it throws doesn't affect the run. Without type arguments it fits
 * every workflow.
 *
 * @example
 * ```ts
 * const metrics = new WorkflowMiddleware({
 *   name: "metrics",
 *   callbacks: { runCompleted: ({ context }) => count("completed", context.url) },
 * });
 * serve(workflow, { middlewares: [metrics] });
 * ```
 */
export class WorkflowMiddleware<Payload = unknown, Result = unknown> {
  declare readonly name: string;
  /** Runs a delivery, a step's work, a rollback, and the failure and cancel function inside of its own code. */
  declare readonly around: Around | undefined;
  /** Returns headers for each call, and for each child run, that a run asks for. */
  declare readonly outgoingHeaders: Tracing["outgoingHeaders"];
  readonly #init: () => Callbacks<Payload, Result>;
  #callbacks: Promise<MiddlewareCallbacks<Payload, Result>> | undefined;

  /** @param definition its callbacks, or an `init` that returns them: called once, before the first event */
  constructor(
    definition: Tracing &
      (
        | { readonly name: string; readonly callbacks: MiddlewareCallbacks<Payload, Result> }
        | { readonly name: string; readonly init: () => Callbacks<Payload, Result> }
      ),
  ) {
    this.name = definition.name;
    this.around = definition.around;
    this.outgoingHeaders = definition.outgoingHeaders;
    this.#init = "init" in definition ? definition.init : () => definition.callbacks;
  }

  /**
   * Calls the callback of one event. Never rejects: errors go to `onError`, or to the console.
   *
   * @example
   * ```ts
   * await middleware.emit("onInfo", { workflowRunId: "wfr_order-7", info: "The cache is warm." });
   * ```
   */
  async emit<Event extends keyof MiddlewareEvents>(
    event: Event,
    details: MiddlewareEvents<Payload, Result>[Event],
  ): Promise<void> {
    let callbacks: MiddlewareCallbacks<Payload, Result> = {};
    try {
      this.#callbacks ??= Promise.resolve(this.#init());
      callbacks = await this.#callbacks;
      await callbacks[event]?.(details);
    } catch (thrown) {
      const message = `${event} of the middleware "${this.name}" failed: ${messageOf(thrown)}`;
      const error = new Error(message, { cause: thrown });
      const { workflowRunId } = "context" in details ? details.context : details;
      await report(event === "onError" ? undefined : callbacks.onError, { workflowRunId, error });
    }
  }
}

async function report(
  onError: MiddlewareCallbacks["onError"],
  details: MiddlewareEvents["onError"],
): Promise<void> {
  const write = (...more: unknown[]) => writeLine("error", "A middleware failed:", details.error, ...more);
  try {
    await (onError ? onError(details) : write());
  } catch (second) {
    write(second);
  }
}

/**
 * Runs `work` inside of the middlewares that have an `around`, the first one outermost.
 *
 * @param errorIn returns the error of a result that middlewares see as a failure
 * @returns the outcome of `work`, which runs once
 */
export function runAround<Result>(
  middlewares: readonly WorkflowMiddleware[],
  scope: () => MiddlewareScope,
  work: () => Promise<Result>,
  errorIn: (result: Result) => { readonly error: unknown } | undefined = () => undefined,
): Promise<Result> {
  const wrapping = middlewares.filter(({ around }) => around);
  if (wrapping.length === 0) return work();
  let outcome: Promise<Result> | undefined;
  const run = async (): Promise<void> => {
    outcome ??= work();
    const failure = errorIn(await outcome);
    if (failure) throw failure.error;
  };
  const details = scope();
  const wrapped = wrapping.reduceRight<() => Promise<void>>(
    (inner, middleware) => () => surround(middleware, details, inner),
    run,
  );
  return wrapped().then(
    () => outcome as Promise<Result>,
    () => outcome as Promise<Result>,
  );
}

async function surround(
  middleware: WorkflowMiddleware,
  scope: MiddlewareScope,
  inner: () => Promise<void>,
): Promise<void> {
  let inside: Promise<void> | undefined;
  const next = (): Promise<void> => {
    inside ??= inner();
    return inside;
  };
  try {
    await middleware.around?.(scope, next);
  } catch (thrown) {
    const isOwn = await next().then(
      () => true,
      (error) => error !== thrown,
    );
    if (isOwn) writeLine("error", `around of the middleware "${middleware.name}" failed:`, thrown);
  }
  return next();
}

/** Returns the headers that middlewares add to a call or a child run. */
export function outgoingHeaders(middlewares: readonly WorkflowMiddleware[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const middleware of middlewares) {
    try {
      Object.assign(headers, middleware.outgoingHeaders?.());
    } catch (thrown) {
      writeLine("error", `outgoingHeaders of the middleware "${middleware.name}" failed:`, thrown);
    }
  }
  return headers;
}

/** Emits one event to all middlewares, concurrently. Never rejects. */
export async function emitAll<Event extends keyof MiddlewareEvents>(
  middlewares: readonly WorkflowMiddleware[],
  event: Event,
  details: MiddlewareEvents[Event],
): Promise<void> {
  if (middlewares.length > 0)
    await Promise.all(middlewares.map((middleware) => middleware.emit(event, details)));
}

/** Logs each event of a run to the console. `verbose: true` adds it. */
export const loggingMiddleware: WorkflowMiddleware = new WorkflowMiddleware({
  name: "logging",
  callbacks: {
    runStarted: ({ context }) => log(context, "started"),
    beforeExecution: ({ context, stepName }) => log(context, `step "${stepName}" begins`),
    afterExecution: ({ context, stepName, result }) => log(context, `step "${stepName}" is recorded`, result),
    runCompleted: ({ context, result }) => log(context, "completed", result),
    runFailed: ({ context, failStatus, failResponse }) =>
      log(context, `failed with ${failStatus}: ${failResponse}`),
    failureFunctionRan: ({ context, result, error = result }) => log(context, "failure function ran", error),
    onWarning: (event) => writeLine("warn", lineOf(event, event.warning)),
    onInfo: (event) => log(event, event.info),
  },
});

function log(run: RunOf, what: string, ...more: unknown[]): void {
  writeLine("info", lineOf(run, what), ...more);
}

function lineOf({ workflowRunId = "" }: RunOf, what: string): string {
  return `${workflowRunId} ${what}`;
}

interface RunOf {
  readonly workflowRunId?: string | undefined;
}
