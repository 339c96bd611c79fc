import { outgoingHeaders } from "../middleware.ts";
import type { Resume } from "../protocol/delivery.ts";
import type { StepPlacement } from "../steps/index.ts";
import { WorkflowError } from "../util/errors.ts";
import { type DeliveryContext, runRef } from "./delivery-context.ts";

/** A step that the engine does, with its place in the run. */
type Position = Pick<StepPlacement, "id" | "concurrent" | "rollback"> & { readonly name: string };

export function placementOf(
  ctx: DeliveryContext<Resume>,
  { name, id, concurrent, rollback }: Position,
): StepPlacement {
  const run = runRef(ctx);
  return {
    ...run,
    id,
    concurrent,
    rollback,
    createdAt: ctx.delivery.createdAt,
    forwarded: ctx.config.engine().headersFor(run.url),
    outgoing: outgoingHeaders(ctx.endpoint.middlewares),
    urlOf: (workflow) => {
      const { siblings } = ctx.endpoint;
      const segment = siblings.get(workflow);
      if (segment !== undefined) return siblingUrl(run.url, segment);
      const requested = Object(workflow).name || "(unnamed)";
      const keys = [...siblings.values()].join(", ") || "none";
      const message = `Step "${name}" of ${run.url} starts the workflow ${requested}, which its serveMany lacks (it serves: ${keys}).`;
      throw new WorkflowError("unknown_workflow", message);
    },
  };
}

function siblingUrl(url: string, segment: string): string {
  const sibling = new URL(url);
  sibling.pathname = sibling.pathname.replace(/[^/]*\/?$/, encodeURIComponent(segment));
  return sibling.href;
}
