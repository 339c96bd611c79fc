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
  readonly #init: () => Callbacks<Payload, Result>;
  #callbacks: Promise<MiddlewareCallbacks<Payload, Result>> | undefined;

  /** @param definition its callbacks, or an `init` that returns them: called once, before the first event */
  constructor(
    definition:
      | { readonly name: string; readonly callbacks: MiddlewareCallbacks<Payload, Result> }
      | { readonly name: string; readonly init: () => Callbacks<Payload, Result> },
  ) {
    this.name = definition.name;
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
  try {
    if (onError) await onError(details);
    else writeLine("error", "A middleware failed:", details.error);
  } catch (second) {
    writeLine("error", "A middleware failed:", details.error, second);
  }
}

/** Emits one event to all middlewares, concurrently. Never rejects. */
export async function emitAll<Event extends keyof MiddlewareEvents>(
  middlewares: readonly WorkflowMiddleware[],
  event: Event,
  details: MiddlewareEvents[Event],
): Promise<void> {
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
