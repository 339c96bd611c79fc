import {
  type Handler,
  type Jsonify,
  type JsonServeOptions,
  type RecordableWorkflow,
  type ServeOptions,
  type SharedOptions,
  serve,
  serveMany,
  type Workflow,
} from "@perdure/core";

/** The type of `serve` for a framework that mounts a `Mounted`. */
export interface Serve<Mounted> {
  <Payload = unknown, Result = unknown>(
    workflow: RecordableWorkflow<Jsonify<Payload>, Result>,
    options?: JsonServeOptions<Payload, Result>,
  ): Mounted;
  <Payload = unknown, Result = unknown>(
    workflow: RecordableWorkflow<Payload, Result>,
    options?: ServeOptions<Payload, Result>,
  ): Mounted;
}

/** The type of `serveMany` for a framework that mounts a `Mounted`. */
export type ServeMany<Mounted> = (
  workflows: Readonly<Record<string, Workflow>>,
  options?: SharedOptions,
) => Mounted;

export function serveAs<Mounted>(mount: (handler: Handler) => Mounted): Serve<Mounted> {
  return <Payload, Result>(
    workflow: RecordableWorkflow<Payload, Result>,
    options?: ServeOptions<Payload, Result>,
  ) => mount(serve(workflow, options).handler);
}

export function serveManyAs<Mounted>(mount: (handler: Handler) => Mounted): ServeMany<Mounted> {
  return (workflows, options) => mount(serveMany(workflows, options).handler);
}
