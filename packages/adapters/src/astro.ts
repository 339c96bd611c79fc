import {
  createWorkflow as createCoreWorkflow,
  type Handler,
  type Jsonify,
  type JsonServeOptions,
  type ServeOptions,
  type Workflow,
  type WorkflowContext,
} from "@perdure/core";
import type { APIContext } from "astro";
import { withFunctionLimits } from "./internal/limits.ts";
import { type ServeMany, serveManyAs } from "./internal/serve.ts";

/** A workflow whose second argument is Astro's context of the request. */
type AstroWorkflow<Payload, Result> = (
  context: WorkflowContext<Payload>,
  apiContext: APIContext,
) => Result | Promise<Result>;

type ApiRoute = (context: APIContext) => Promise<Response>;

const apiContexts = new WeakMap<Request, APIContext>();

/**
 * Turns the handler of a workflow into an API route of Astro.
 *
 * @example
 * ```ts
 * const { handler } = serve(order); // of @perdure/core
 * export const { POST } = toAstro(handler);
 * ```
 */
export function toAstro(handler: Handler): { POST: ApiRoute } {
  const limited = withFunctionLimits(handler);
  return {
    POST: (apiContext) => {
      apiContexts.set(apiContext.request, apiContext);
      return limited(apiContext.request);
    },
  };
}

/**
 * Makes a workflow for {@link serveMany}. Its second argument is Astro's context of the request.
 *
 * @example
 * ```ts
 * import { createWorkflow, serveMany } from "@perdure/adapters/astro";
 *
 * const order = createWorkflow(async (context, { locals }) => {
 *   await context.run("greet", () => console.log("hello", locals.user));
 * });
 * export const { POST } = serveMany({ order });
 * ```
 */
export function createWorkflow<Payload = unknown, Result = unknown>(
  workflow: AstroWorkflow<Jsonify<Payload>, Result>,
  options?: JsonServeOptions<Payload, Result>,
): Workflow<Payload, Result>;
export function createWorkflow<Payload = unknown, Result = unknown>(
  workflow: AstroWorkflow<Payload, Result>,
  options?: ServeOptions<Payload, Result>,
): Workflow<Payload, Result>;
export function createWorkflow<Payload, Result>(
  workflow: AstroWorkflow<Payload, Result>,
  options?: ServeOptions<Payload, Result>,
): Workflow<Payload, Result> {
  return {
    name: workflow.name,
    url: options?.url,
    toHandler: (shared, siblings) => {
      const handlerIn = (apiContext: () => APIContext): Handler =>
        createCoreWorkflow<Payload, Result>((context) => workflow(context, apiContext()), options).toHandler(
          shared,
          siblings,
        );
      const outsideAstro = handlerIn(throwNoContext);
      return (request, ...platform) => {
        const apiContext = apiContexts.get(request);
        return (apiContext ? handlerIn(() => apiContext) : outsideAstro)(request, ...platform);
      };
    },
  };
}

function throwNoContext(): never {
  throw new TypeError(
    "This workflow needs Astro's context: serve it with serveMany of @perdure/adapters/astro.",
  );
}

/**
 * Serves a workflow as an API route of Astro. The workflow's second argument is Astro's context of the request.
 *
 * @example
 * ```ts
 * // src/pages/api/order.ts
 * import { serve } from "@perdure/adapters/astro";
 *
 * export const { POST } = serve(async (context) => {
 *   await context.run("greet", () => console.log("hello"));
 * });
 * ```
 */
export function serve<Payload = unknown, Result = unknown>(
  workflow: AstroWorkflow<Jsonify<Payload>, Result>,
  options?: JsonServeOptions<Payload, Result>,
): { POST: ApiRoute };
export function serve<Payload = unknown, Result = unknown>(
  workflow: AstroWorkflow<Payload, Result>,
  options?: ServeOptions<Payload, Result>,
): { POST: ApiRoute };
export function serve<Payload, Result>(
  workflow: AstroWorkflow<Payload, Result>,
  options?: ServeOptions<Payload, Result>,
): { POST: ApiRoute } {
  return toAstro(createWorkflow(workflow, options).toHandler({}, new Map()));
}

/**
 * Serves several workflows as an API route of Astro.
 * The last segment of a request's URL is the key of its workflow.
 *
 * @example
 * ```ts
 * // src/pages/api/workflows/[key].ts
 * import { createWorkflow, serveMany } from "@perdure/adapters/astro";
 *
 * export const { POST } = serveMany({
 *   order: createWorkflow(order),
 *   invoice: createWorkflow(invoice),
 * });
 * ```
 */
export const serveMany: ServeMany<{ POST: ApiRoute }> = serveManyAs(toAstro);
