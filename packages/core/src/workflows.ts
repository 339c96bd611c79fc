import { type Handler, handlerOf, SERVE_OPTIONS, type ServeOptions, SHARED_OPTIONS } from "./serve.ts";
import { notFound } from "./server/respond.ts";
import type { Invokable } from "./steps/index.ts";
import { checkFunction, mustBe } from "./util/check.ts";
import { checkOptions } from "./util/options.ts";
import type { CancelFunction, FailureFunction, RecordableWorkflow } from "./workflow.ts";

/** A workflow that the others of the same `serveMany` can invoke. */
export interface Workflow<Payload = unknown, Result = unknown> extends Invokable<Payload, Result> {
  /** The name of its function; empty for an anonymous one. */
  readonly name: string;
  /** Makes its endpoint. Called by {@link serveMany}. */
  readonly toHandler: (shared: SharedOptions, siblings: ReadonlyMap<object, string>) => Handler;
}

/** Options that {@link serveMany} applies to all of its workflows. */
export type SharedOptions = Omit<
  ServeOptions,
  "url" | "schema" | "initialPayloadParser" | "failureFunction" | "cancelFunction"
> & {
  /** For workflows that have none of their own. */
  readonly failureFunction?: FailureFunction;
  /** For workflows that have none of their own. */
  readonly cancelFunction?: CancelFunction;
};

/** Makes a workflow to be served by {@link serveMany}. Its own options win over the shared ones. */
export function createWorkflow<Payload = unknown, Result = unknown>(
  workflow: RecordableWorkflow<Payload, Result>,
  options: ServeOptions<Payload, Result> = {},
): Workflow<Payload, Result> {
  checkFunction("A workflow", workflow);
  checkOptions("createWorkflow", options, SERVE_OPTIONS);
  return {
    name: workflow.name,
    toHandler: (shared, siblings) =>
      handlerOf(workflow, { ...shared, ...options } as ServeOptions<Payload, Result>, siblings),
  };
}

/**
 * Serves several workflows side by side, each under the last segment of the URL that is its key. They can invoke each other.
 *
 * @throws TypeError for a key that can't be a segment of a URL
 */
export function serveMany(
  workflows: Readonly<Record<string, Workflow>>,
  options: SharedOptions = {},
): { handler: Handler } {
  checkOptions("serveMany", options, SHARED_OPTIONS);
  const siblings = new Map<object, string>();
  for (const [key, workflow] of Object.entries(workflows)) {
    if (key === "" || /[/?#]/.test(key)) {
      throw new TypeError(
        `A workflow's key is the last segment of its URL and can't be ${JSON.stringify(key)}.`,
      );
    }
    if (!("toHandler" in Object(workflow)))
      throw mustBe(`The workflow "${key}"`, "what createWorkflow has made", workflow);
    siblings.set(workflow, key);
  }
  const handlers = new Map(
    Object.entries(workflows).map(([key, workflow]) => [key, workflow.toHandler(options, siblings)]),
  );
  return {
    handler: async (request, env) => {
      const handler = handlers.get(lastSegment(request.url));
      return handler ? handler(request, env) : notFound([...handlers.keys()]);
    },
  };
}

function lastSegment(url: string): string {
  const segment = new URL(url).pathname.split("/").at(-1) ?? "";
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // No key is encoded like that.
  }
}
