import {
  createWorkflow as createCoreWorkflow,
  type Handler,
  type ServeOptions,
  type Workflow,
  type WorkflowContext,
} from "@perdure/core";
import type { APIContext } from "astro";
import { type ServeMany, serveManyAs } from "./internal/serve.ts";

/** A workflow that is also given Astro's context of the request that is being answered. */
type AstroWorkflow<Payload, Result> = (
  context: WorkflowContext<Payload>,
  apiContext: APIContext,
) => Result | Promise<Result>;

type ApiRoute = (context: APIContext) => Promise<Response>;

const apiContexts = new WeakMap<Request, APIContext>();

/** A workflow's handler as an API route of Astro: `export const { POST } = toAstro(handler)`. */
export function toAstro(handler: Handler): { POST: ApiRoute } {
  return {
    POST: (apiContext) => {
      apiContexts.set(apiContext.request, apiContext);
      return handler(apiContext.request);
    },
  };
}

/** As `createWorkflow` of `@perdure/core`, for a workflow that is also given Astro's context. */
export function createWorkflow<Payload = unknown, Result = unknown>(
  workflow: AstroWorkflow<Payload, Result>,
  options?: ServeOptions<Payload, Result>,
): Workflow<Payload, Result> {
  return {
    name: workflow.name,
    toHandler: (shared, siblings) => {
      const handlerIn = (apiContext: () => APIContext): Handler =>
        createCoreWorkflow<Payload, Result>((context) => workflow(context, apiContext()), options).toHandler(
          shared,
          siblings,
        );
      const outsideAstro = handlerIn(throwNoContext);
      return (request, env) => {
        const apiContext = apiContexts.get(request);
        return (apiContext ? handlerIn(() => apiContext) : outsideAstro)(request, env);
      };
    },
  };
}

function throwNoContext(): never {
  throw new TypeError("This workflow needs Astro's context: serve it by `@perdure/adapters/astro`.");
}

/** `serve` of `@perdure/core`, as an API route of Astro: `export const { POST } = serve(workflow)`. */
export function serve<Payload = unknown, Result = unknown>(
  workflow: AstroWorkflow<Payload, Result>,
  options?: ServeOptions<Payload, Result>,
): { POST: ApiRoute } {
  return toAstro(createWorkflow(workflow, options).toHandler({}, new Map()));
}

/** `serveMany` of `@perdure/core`, as an API route of Astro: `export const { POST } = serveMany({ order, invoice })`. */
export const serveMany: ServeMany<{ POST: ApiRoute }> = serveManyAs(toAstro);
