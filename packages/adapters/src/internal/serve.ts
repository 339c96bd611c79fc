import {
  type Handler,
  type RecordableWorkflow,
  type ServeOptions,
  type SharedOptions,
  serve,
  serveMany,
  type Workflow,
} from "@perdure/core";

/** The type of `serve` for a framework that mounts a `Mounted`. */
export type Serve<Mounted> = <Payload = unknown, Result = unknown>(
  workflow: RecordableWorkflow<Payload, Result>,
  options?: ServeOptions<Payload, Result>,
) => Mounted;

/** The type of `serveMany` for a framework that mounts a `Mounted`. */
export type ServeMany<Mounted> = (
  workflows: Readonly<Record<string, Workflow>>,
  options?: SharedOptions,
) => Mounted;

export function serveAs<Mounted>(mount: (handler: Handler) => Mounted): Serve<Mounted> {
  return (workflow, options) => mount(serve(workflow, options).handler);
}

export function serveManyAs<Mounted>(mount: (handler: Handler) => Mounted): ServeMany<Mounted> {
  return (workflows, options) => mount(serveMany(workflows, options).handler);
}
