import * as ours from "@perdure/core";
import * as upstream from "@upstash/workflow";
import * as upstreamMany from "@upstash/workflow/nextjs";

export type Handler = (request: Request) => Promise<Response>;
export type Context = ours.WorkflowContext;
export type Workflow = (context: Context) => Promise<unknown>;

/** What both take. */
export interface Options
  extends Pick<
    ours.ServeOptions,
    "env" | "url" | "baseUrl" | "disableTelemetry" | "qstashClient" | "failureFunction" | "receiver"
  > {
  readonly schema?: ours.Schema;
  readonly initialPayloadParser?: (payload: string) => unknown;
  readonly middlewares?: readonly Middleware[];
}

export type Invokable = ours.Workflow;
export type Client = Pick<ours.Client, "trigger" | "cancel" | "notify" | "getWaiters" | "logs" | "dlq">;
export type Middleware = ours.WorkflowMiddleware;

/** One of the two packages, by the names that a user imports. */
export interface Sdk {
  serve(workflow: Workflow, options: Options): Handler;
  createWorkflow(workflow: Workflow, options?: Options): Invokable;
  serveMany(workflows: Record<string, Invokable>, options: Options): Handler;
  client(config: { baseUrl: string; token: string; headers?: Record<string, string> }): Client;
  readonly WorkflowMiddleware: typeof ours.WorkflowMiddleware;
  readonly WorkflowNonRetryableError: new (message?: string) => Error;
  readonly WorkflowRetryAfterError: new (message: string, retryAfter: number | ours.Duration) => Error;
}

/** The types of the two differ in places that no scenario depends on: `never` bridges them, here only. */
export const upstreamSdk: Sdk = {
  serve: (workflow, options) => upstream.serve(workflow as never, options as never).handler,
  createWorkflow: (workflow, options) =>
    upstreamMany.createWorkflow(workflow as never, options as never) as never,
  serveMany: (workflows, options) => upstreamMany.serveMany(workflows as never, options as never).POST,
  client: (config) => new upstream.Client({ ...config, retry: false }) as never,
  WorkflowMiddleware: upstream.WorkflowMiddleware as never,
  WorkflowNonRetryableError: upstream.WorkflowNonRetryableError,
  WorkflowRetryAfterError: upstream.WorkflowRetryAfterError as never,
};

export const ourSdk: Sdk = {
  serve: (workflow, options) => ours.serve(workflow, opened(options)).handler,
  createWorkflow: (workflow, options = {}) => ours.createWorkflow(workflow, options as ours.ServeOptions),
  serveMany: (workflows, options) => ours.serveMany(workflows, opened(options)).handler,
  client: (config) => new ours.Client({ ...config, retry: false }),
  WorkflowMiddleware: ours.WorkflowMiddleware,
  WorkflowNonRetryableError: ours.WorkflowNonRetryableError,
  WorkflowRetryAfterError: ours.WorkflowRetryAfterError,
};

/** Set in a scenario's `env`, it leaves an endpoint without any check as it is. */
export const UNCHECKED = "DIFFERENTIAL_UNCHECKED";

// Upstream lets everybody in where there are no keys. Ours wants that in writing.
function opened(options: Options): ours.ServeOptions {
  const { env = {}, receiver } = options;
  const checked = receiver || Object.keys(env).some((name) => name.endsWith("SIGNING_KEY"));
  const verify = checked || UNCHECKED in env ? {} : { verify: "off" };
  return { ...options, ...verify } as ours.ServeOptions;
}
