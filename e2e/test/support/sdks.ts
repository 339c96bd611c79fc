import {
  createWorkflow,
  serve,
  serveMany,
  type WorkflowContext,
  WorkflowNonRetryableError,
  WorkflowRetryAfterError,
} from "@perdure/core";
import { environment } from "@perdure/test-support/process";
import * as official from "@upstash/workflow";

/** Our context stands for both: a workflow that is given to either may use what both have. */
export type Workflow = (context: WorkflowContext) => Promise<unknown>;

export interface Failure {
  readonly context: {
    readonly requestPayload: unknown;
    readonly workflowRunId: string;
    readonly headers: Headers;
  };
  readonly failStatus: number;
  readonly failResponse: string;
  readonly failHeaders: Record<string, string[]>;
  readonly failStack: string;
}

export type FailureFunction = (failure: Failure) => string | undefined;
type Handler = (request: Request) => Promise<Response>;

/** What a workflow can invoke: made by the SDK that serves it. */
export type Made = { readonly "~made"?: never };

export interface Sdk {
  readonly name: string;
  /** Whether one delivery may run several steps. */
  readonly inline: boolean;
  readonly NonRetryable: new (message: string) => Error;
  readonly RetryAfter: new (message: string, after: number) => Error;
  readonly serve: (engineUrl: string, workflow: Workflow, failureFunction?: FailureFunction) => Handler;
  readonly make: (workflow: Workflow) => Made;
  readonly serveMany: (engineUrl: string, workflows: Record<string, Made>) => Handler;
}

export const sdks: readonly Sdk[] = [
  {
    name: "@upstash/workflow",
    inline: false,
    NonRetryable: official.WorkflowNonRetryableError,
    RetryAfter: official.WorkflowRetryAfterError,
    serve: (engineUrl, workflow, failureFunction) => {
      const failure = failureFunction && { failureFunction: async (told: Failure) => failureFunction(told) };
      return official.serve(workflow as never, { env: environment(engineUrl), ...failure } as never).handler;
    },
    make: (workflow) => ({ routeFunction: workflow, options: {}, workflowId: undefined }) as Made,
    serveMany: (engineUrl, workflows) => officialMany(engineUrl, workflows),
  },
  ours("@perdure/core", true),
  ours("@perdure/core, one step a delivery", false),
];

function ours(name: string, inline: boolean): Sdk {
  const mode = inline ? {} : { inline: false as const };
  return {
    name,
    inline,
    NonRetryable: WorkflowNonRetryableError,
    RetryAfter: WorkflowRetryAfterError,
    serve: (engineUrl, workflow, failureFunction) =>
      serve(workflow, {
        env: environment(engineUrl),
        ...mode,
        ...(failureFunction ? { failureFunction } : {}),
      }).handler,
    make: (workflow) => createWorkflow(workflow) as Made,
    serveMany: (engineUrl, workflows) =>
      serveMany(workflows as Parameters<typeof serveMany>[0], { env: environment(engineUrl), ...mode })
        .handler,
  };
}

// The official package has no serveMany of its own for plain Requests: the one for Cloudflare takes them.
function officialMany(engineUrl: string, workflows: Record<string, Made>): Handler {
  const served = import("@upstash/workflow/cloudflare").then(({ serveMany: many }) =>
    many(workflows as never, {}),
  );
  return async (request) =>
    (await served).fetch({ request, env: environment(engineUrl) } as never) as Promise<Response>;
}
