import type { RunContext, WorkflowContext } from "./context.ts";
import { messageOf } from "./util/errors.ts";

/** What can be told of a run's life, and what comes with it. */
export interface MiddlewareEvents<Payload = unknown, Result = unknown> {
  /** A run's first delivery, and each retry of it. */
  readonly runStarted: { readonly context: WorkflowContext<Payload> };
  /** A step's work begins, or is asked of the engine. */
  readonly beforeExecution: { readonly context: WorkflowContext<Payload>; readonly stepName: string };
  /** A step's result is on record. Told by the delivery that brings it. */
  readonly afterExecution: {
    readonly context: WorkflowContext<Payload>;
    readonly stepName: string;
    readonly result: unknown;
  };
  /** The workflow has returned. */
  readonly runCompleted: { readonly context: WorkflowContext<Payload>; readonly result: Result };
  /** The run has failed for good; its failure function, if there is one, comes next. */
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

/** What a middleware does with what it is told. Awaited; what is thrown harms nothing. */
export type MiddlewareCallbacks<Payload = unknown, Result = unknown> = {
  readonly [Event in keyof MiddlewareEvents]?: (
    told: MiddlewareEvents<Payload, Result>[Event],
  ) => void | Promise<void>;
};

type Callbacks<Payload, Result> =
  | MiddlewareCallbacks<Payload, Result>
  | Promise<MiddlewareCallbacks<Payload, Result>>;

/**
 * Something that is told of a run's life. Whatever it does or throws, the run isn't harmed. Without types of its own it fits
 * every workflow.
 */
export class WorkflowMiddleware<Payload = unknown, Result = unknown> {
  readonly name: string;
  readonly #init: () => Callbacks<Payload, Result>;
  #callbacks: Promise<MiddlewareCallbacks<Payload, Result>> | undefined;

  /** @param definition its callbacks, or how to make them, which is asked for once and before the first of them is needed */
  constructor(
    definition:
      | { readonly name: string; readonly callbacks: MiddlewareCallbacks<Payload, Result> }
      | { readonly name: string; readonly init: () => Callbacks<Payload, Result> },
  ) {
    this.name = definition.name;
    this.#init = "init" in definition ? definition.init : () => definition.callbacks;
  }

  /** Tells one event. Never rejects. */
  async tell<Event extends keyof MiddlewareEvents>(
    event: Event,
    told: MiddlewareEvents<Payload, Result>[Event],
  ): Promise<void> {
    let callbacks: MiddlewareCallbacks<Payload, Result> = {};
    try {
      this.#callbacks ??= Promise.resolve(this.#init());
      callbacks = await this.#callbacks;
      await callbacks[event]?.(told);
    } catch (thrown) {
      const message = `${event} of the middleware "${this.name}" failed: ${messageOf(thrown)}`;
      const error = new Error(message, { cause: thrown });
      const { workflowRunId } = "context" in told ? told.context : told;
      await report(event === "onError" ? undefined : callbacks.onError, { workflowRunId, error });
    }
  }
}

async function report(
  onError: MiddlewareCallbacks["onError"],
  told: MiddlewareEvents["onError"],
): Promise<void> {
  try {
    if (onError) await onError(told);
    else console.error("[perdure]", told.error);
  } catch (again) {
    console.error("[perdure]", told.error, again);
  }
}

/** Tells all of them, at the same time. */
export async function tellAll<Event extends keyof MiddlewareEvents>(
  middlewares: readonly WorkflowMiddleware[],
  event: Event,
  told: MiddlewareEvents[Event],
): Promise<void> {
  await Promise.all(middlewares.map((middleware) => middleware.tell(event, told)));
}

/** Writes what happens to the console. */
export const loggingMiddleware: WorkflowMiddleware = new WorkflowMiddleware({
  name: "logging",
  callbacks: {
    runStarted: ({ context }) => log(context, "started"),
    beforeExecution: ({ context, stepName }) => log(context, `step "${stepName}" begins`),
    afterExecution: ({ context, stepName, result }) => log(context, `step "${stepName}" is recorded`, result),
    runCompleted: ({ context, result }) => log(context, "completed", result),
    runFailed: ({ context, failStatus, failResponse }) =>
      log(context, `failed with ${failStatus}: ${failResponse}`),
    failureFunctionRan: ({ context, ...outcome }) => log(context, "failure function ran", outcome),
    onWarning: (told) => console.warn(lineOf(told, told.warning)),
    onInfo: (told) => log(told, told.info),
  },
});

function log(run: RunOf, what: string, ...more: unknown[]): void {
  console.info(lineOf(run, what), ...more);
}

function lineOf({ workflowRunId = "" }: RunOf, what: string): string {
  return `[perdure] ${workflowRunId} ${what}`;
}

interface RunOf {
  readonly workflowRunId?: string | undefined;
}
