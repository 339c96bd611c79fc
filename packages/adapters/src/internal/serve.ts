import {
  type Handler,
  type Invokable,
  type Jsonify,
  type JsonServeOptions,
  type RecordableWorkflow,
  type ServeOptions,
  type SharedOptions,
  serve,
  serveMany,
  type Workflow,
} from "@perdure/core";

/** A `Mounted`, and each route in it, with the types that a client and a test read. */
export type Typed<Mounted, Payload, Result> = Mounted &
  Invokable<Payload, Result> & { readonly [Route in keyof Mounted]: Invokable<Payload, Result> };

/** The type of `serve` for a framework that mounts a `Mounted`. */
export interface Serve<Mounted> {
  <Payload = unknown, Result = unknown>(
    workflow: RecordableWorkflow<Jsonify<Payload>, Result>,
    options?: JsonServeOptions<Payload, Result>,
  ): Typed<Mounted, Payload, Result>;
  <Payload = unknown, Result = unknown>(
    workflow: RecordableWorkflow<Payload, Result>,
    options?: ServeOptions<Payload, Result>,
  ): Typed<Mounted, Payload, Result>;
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
  ) => mount(serve(workflow, options).handler) as Typed<Mounted, Payload, Result>;
}

export function serveManyAs<Mounted>(mount: (handler: Handler) => Mounted): ServeMany<Mounted> {
  return (workflows, options) => mount(serveMany(workflows, options).handler);
}
