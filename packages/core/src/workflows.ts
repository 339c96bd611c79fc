import {
  type Handler,
  handlerOf,
  type JsonServeOptions,
  SERVE_OPTIONS,
  type ServeOptions,
  SHARED_OPTIONS,
} from "./serve.ts";
import { notFound } from "./server/respond.ts";
import type { Invokable } from "./steps/index.ts";
import { checkFunction, mustBe, safely } from "./util/check.ts";
import type { Jsonify } from "./util/jsonify.ts";
import { checkOptions } from "./util/options.ts";
import type { CancelFunction, FailureFunction, RecordableWorkflow } from "./workflow.ts";

/** A workflow that other workflows of the same `serveMany` can invoke. */
export interface Workflow<Payload = unknown, Result = unknown> extends Invokable<Payload, Result> {
  /** The name of its function; empty for an anonymous one. */
  readonly name: string;
  /** The option `url`. */
  readonly url: string | undefined;
  /** Creates the workflow's endpoint. {@link serveMany} calls it. */
  readonly toHandler: (shared: SharedOptions, siblings: ReadonlyMap<object, string>) => Handler;
}

/** Options that {@link serveMany} applies to all of its workflows. A workflow's own options win. */
export type SharedOptions = Omit<
  ServeOptions,
  "url" | "schema" | "initialPayloadParser" | "failureFunction" | "cancelFunction"
> & {
  /** For workflows without a failure function of their own. */
  readonly failureFunction?: FailureFunction;
  /** For workflows without a cancel function of their own. */
  readonly cancelFunction?: CancelFunction;
};

/**
 * Creates a workflow for {@link serveMany}. Its own options win over the shared ones.
 *
 * @throws TypeError for unknown options
 * @example
 * ```ts
 * const invoice = createWorkflow(async (context: WorkflowContext<{ amount: number }>) => {
 *   await context.run("send", () => send(context.requestPayload.amount));
 * });
 * ```
 */
export function createWorkflow<Payload = unknown, Result = unknown>(
  workflow: RecordableWorkflow<Jsonify<Payload>, Result>,
  options?: JsonServeOptions<Payload, Result>,
): Workflow<Payload, Result>;
export function createWorkflow<Payload = unknown, Result = unknown>(
  workflow: RecordableWorkflow<Payload, Result>,
  options?: ServeOptions<Payload, Result>,
): Workflow<Payload, Result>;
export function createWorkflow<Payload, Result>(
  workflow: RecordableWorkflow<Payload, Result>,
  options: ServeOptions<Payload, Result> = {},
): Workflow<Payload, Result> {
  checkFunction("A workflow", workflow);
  checkOptions("createWorkflow", options, SERVE_OPTIONS);
  return {
    name: workflow.name,
    url: options.url,
    toHandler: (shared, siblings) =>
      handlerOf(workflow, { ...shared, ...options } as ServeOptions<Payload, Result>, siblings),
  };
}

/**
 * Serves several workflows. The last segment of a request's URL is the key of its workflow. The workflows can invoke each
 * other.
 *
 * @throws TypeError for unknown options, and for a key that can't be a segment of a URL
 * @example
 * ```ts
 * const { handler } = serveMany({ order, invoice }, { failureFunction: alert });
 * Bun.serve({ routes: { "/workflows/*": (request) => handler(request) } });
 * ```
 */
export function serveMany(
  workflows: Readonly<Record<string, Workflow>>,
  options: SharedOptions = {},
): { handler: Handler } {
  checkOptions("serveMany", options, SHARED_OPTIONS);
  const siblings = new Map<object, string>();
  for (const [key, workflow] of Object.entries(workflows)) {
    if (key === "" || /[/?#]/.test(key)) {
      throw mustBe("A workflow's key", "the last segment of its URL", key);
    }
    if (!("toHandler" in Object(workflow)))
      throw mustBe(`The workflow "${key}"`, "a result of createWorkflow", workflow);
    siblings.set(workflow, key);
  }
  const handlers = new Map(
    Object.entries(workflows).map(([key, workflow]) => [key, workflow.toHandler(options, siblings)]),
  );
  return {
    handler: async (request, env, limits) => {
      const handler = handlers.get(lastSegment(request.url));
      return handler ? handler(request, env, limits) : notFound([...handlers.keys()]);
    },
  };
}

function lastSegment(url: string): string {
  const segment = new URL(url).pathname.split("/").at(-1) ?? "";
  // A segment that isn't valid percent-encoding is no key.
  return safely(() => decodeURIComponent(segment)) ?? segment;
}
