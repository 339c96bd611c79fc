import { environment } from "@perdure/test-support/process";
import * as qstash from "@upstash/qstash/workflow";
import * as first from "upstash-workflow-0.1";
import * as second from "upstash-workflow-0.2";

/** The steps that every older package has. Their signatures differ: see {@link OlderSdk}. */
export interface OlderContext {
  readonly requestPayload: unknown;
  readonly workflowRunId: string;
  run(name: string, work: () => unknown): Promise<unknown>;
  sleep(name: string, seconds: number): Promise<void>;
  sleepUntil(name: string, time: number): Promise<void>;
}

/** Packages since `@upstash/workflow` 0.1 wait for events. */
export interface WaitingContext extends OlderContext {
  waitForEvent(
    name: string,
    eventId: string,
    timeout: unknown,
  ): Promise<{ eventData: unknown; timeout: boolean }>;
  notify(name: string, eventId: string, eventData: unknown): Promise<{ notifyResponse: readonly unknown[] }>;
}

export interface OlderFailure {
  readonly payload: unknown;
  readonly status: number;
  readonly response: string;
}

export interface OlderOptions {
  readonly failed?: (failure: OlderFailure) => void;
  readonly options?: object;
}

type Handler = (request: Request) => Promise<Response>;

/** A package whose requests to the engine name no features, or fewer than today's. */
export interface OlderSdk<Context extends OlderContext = WaitingContext> {
  readonly name: string;
  readonly serve: (
    engineUrl: string,
    workflow: (context: Context) => Promise<unknown>,
    options?: OlderOptions,
  ) => Handler;
  /** Calls a URL, and resolves to the body of the answer. */
  readonly call: (context: Context, name: string, url: string, body: unknown) => Promise<unknown>;
  /** The third argument of `waitForEvent`. */
  readonly waiting: (timeout: string) => unknown;
}

/** `serve` of the client of messages, from before there was a package for workflows. */
export const ofQstash: OlderSdk<OlderContext> = {
  name: "@upstash/qstash 2.12.0",
  serve: (engineUrl, workflow, given) =>
    qstash.serve(workflow as never, { ...optionsOf(engineUrl), ...positional(given) } as never) as Handler,
  call: (context, name, url, body) =>
    (context as never as qstash.WorkflowContext).call(name, url, "POST", body),
  waiting: (timeout) => timeout,
};

export const olderSdks: readonly OlderSdk[] = [
  {
    name: "@upstash/workflow 0.1.5",
    serve: (engineUrl, workflow, given) =>
      first.serve(workflow as never, { ...optionsOf(engineUrl), ...positional(given) } as never)
        .handler as Handler,
    call: async (context, name, url, body) =>
      (await (context as never as first.WorkflowContext).call(name, { url, method: "POST", body })).body,
    waiting: (timeout) => timeout,
  },
  {
    name: "@upstash/workflow 0.2.16",
    serve: (engineUrl, workflow, given) =>
      second.serve(workflow as never, { ...optionsOf(engineUrl), ...named(given) } as never)
        .handler as Handler,
    call: async (context, name, url, body) =>
      (await (context as never as second.WorkflowContext).call(name, { url, method: "POST", body })).body,
    waiting: (timeout) => ({ timeout }),
  },
];

function optionsOf(engineUrl: string): object {
  return { env: environment(engineUrl) };
}

type Positional = (context: OlderContext, status: number, response: string) => void;
type Named = (failure: { context: OlderContext; failStatus: number; failResponse: string }) => void;

function positional({ failed, options }: OlderOptions = {}): object {
  const failureFunction: Positional | undefined =
    failed && (({ requestPayload: payload }, status, response) => failed({ payload, status, response }));
  return { ...options, ...(failureFunction ? { failureFunction } : {}) };
}

function named({ failed, options }: OlderOptions = {}): object {
  const failureFunction: Named | undefined =
    failed &&
    (({ context, failStatus: status, failResponse: response }) =>
      failed({ payload: context.requestPayload, status, response }));
  return { ...options, ...(failureFunction ? { failureFunction } : {}) };
}
