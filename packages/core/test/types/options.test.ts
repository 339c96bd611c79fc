import { describe, expectTypeOf, it } from "vitest";
import { z } from "zod";
import {
  type AttemptError,
  type CancelFilters,
  Client,
  createWorkflow,
  type Duration,
  type FailureFunctionPayload,
  type FlowControl,
  loggingMiddleware,
  type ServeOptions,
  serve,
  serveMany,
  type TriggerOptions,
  type WorkflowContext,
  WorkflowMiddleware,
} from "../../src/index.ts";
import { compiles } from "../support/compiles.ts";

describe("options that exclude each other", () => {
  const url = "https://a.example/";

  it("schema and initialPayloadParser", () => {
    const schema = z.string();
    const initialPayloadParser = (text: string) => text;
    compiles(() => [serve(() => 1, { schema }), serve(() => 1, { initialPayloadParser })]);
    // @ts-expect-error one of the two
    compiles(() => serve(() => 1, { schema, initialPayloadParser }));
    // @ts-expect-error one of the two
    compiles(() => createWorkflow(() => 1, { schema, initialPayloadParser }));
    const both = { schema, initialPayloadParser };
    // @ts-expect-error one of the two, wherever they come from
    compiles(() => serve(() => 1, both));
  });

  it("verify is off or not there", () => {
    expectTypeOf<ServeOptions["verify"]>().toEqualTypeOf<"off" | undefined>();
    // @ts-expect-error there is no switching on what is always on
    compiles(() => serve(() => 1, { verify: "on" }));
    // @ts-expect-error signatures need both keys
    compiles(() => serve(() => 1, { keys: { current: "sig_1" } }));
  });

  it("a workflow's URL, as a whole or as a beginning", () => {
    compiles((_, client) => client.cancel({ filter: { workflowUrl: url, label: "a" } }));
    compiles((_, client) => client.cancel({ filter: { workflowUrlStartingWith: url } }));
    // @ts-expect-error one of the two
    compiles((_, client) => client.cancel({ filter: { workflowUrl: url, workflowUrlStartingWith: url } }));
    const filter = { workflowUrl: url, workflowUrlStartingWith: url };
    // @ts-expect-error one of the two, wherever they come from
    compiles((_, client) => client.cancel({ filter }));
    // @ts-expect-error all is said, or isn't
    compiles((_, client) => client.cancel({ all: false }));
    // @ts-expect-error nothing is selected
    compiles((_, client) => client.cancel({}));
    // @ts-expect-error no filter for what is running anyway
    expectTypeOf<CancelFilters["state"]>();
  });

  it("what is always on can't be switched off", () => {
    compiles((_, client) => client.trigger({ url, useFailureFunction: true, keepTriggerConfig: true }));
    // @ts-expect-error it is always on
    compiles((_, client) => client.trigger({ url, useFailureFunction: false }));
    // @ts-expect-error it is always on
    compiles((_, client) => client.trigger({ url, keepTriggerConfig: false }));
  });

  it("flow control needs a key, and something to limit", () => {
    expectTypeOf<{ key: string; parallelism: number }>().toExtend<FlowControl>();
    expectTypeOf<{ key: string; rate: number; period: "1m" }>().toExtend<FlowControl>();
    expectTypeOf<{ key: string; rate: number; parallelism: number; period: 60 }>().toExtend<FlowControl>();
    expectTypeOf<{ key: string; ratePerSecond: number }>().toExtend<FlowControl>();
    // @ts-expect-error whose limit is it?
    compiles((_, client) => client.trigger({ url, flowControl: { parallelism: 1 } }));
    // @ts-expect-error it limits nothing
    compiles((_, client) => client.trigger({ url, flowControl: { key: "k" } }));
    // @ts-expect-error a period of what?
    compiles((_, client) => client.trigger({ url, flowControl: { key: "k", period: 1 } }));
  });

  it("a middleware is told of the workflow's own payload and result, and fits only there", () => {
    const own = new WorkflowMiddleware<{ id: string }, number>({
      name: "own",
      callbacks: {
        runCompleted: ({ context, result }) => {
          expectTypeOf(context.requestPayload).toEqualTypeOf<{ id: string }>();
          expectTypeOf(result).toEqualTypeOf<number>();
        },
      },
    });
    const middlewares = [own, loggingMiddleware];
    compiles(() => serve((context: WorkflowContext<{ id: string }>) => context.retried, { middlewares }));
    // @ts-expect-error another payload
    compiles(() => serve((context: WorkflowContext<{ id: number }>) => context.retried, { middlewares }));
    // @ts-expect-error another result
    compiles(() => serve((context: WorkflowContext<{ id: string }>) => context.url, { middlewares }));
    // @ts-expect-error whatever it is served with
    compiles(() => serveMany({}, { middlewares }));
    compiles(() => serveMany({}, { middlewares: [loggingMiddleware] }));
  });

  it("a redaction is there or isn't", () => {
    compiles((_, client) => client.trigger({ url, redact: { body: true, header: ["authorization"] } }));
    // @ts-expect-error nothing is redacted unless it is said
    compiles((_, client) => client.trigger({ url, redact: { body: false } }));
  });
});

describe("the client", () => {
  it("gives one result for one, and a list for a list", () => {
    compiles(async (_, client) => {
      const options: TriggerOptions = { url: "https://a.example/" };
      expectTypeOf(await client.trigger(options)).toHaveProperty("workflowRunId");
      expectTypeOf(await client.trigger([options])).toBeArray();
      // @ts-expect-error where to?
      await client.trigger({ body: 1 });
    });
  });

  it("gives the result's type that is asked for", () => {
    compiles(async (_, client) => {
      expectTypeOf((await client.runs.wait<{ id: string }>("wfr_1")).result).toEqualTypeOf<
        { id: string } | undefined
      >();
      expectTypeOf((await client.runs.wait("wfr_1")).result).toEqualTypeOf<unknown>();
      expectTypeOf((await client.runs.wait<{ at: Date }>("wfr_1")).result).toEqualTypeOf<
        { at: string } | undefined
      >();
      expectTypeOf((await client.runs.get<Map<string, Date>[]>("wfr_1"))?.result).toEqualTypeOf<
        Record<never, never>[] | undefined
      >();
    });
  });

  it("gives the result and the error of a run", () => {
    compiles(async (_, client) => {
      const run = await client.runs.get<number>("wfr_1");
      expectTypeOf(run?.result).toEqualTypeOf<number | undefined>();
      expectTypeOf(run?.error?.message).toEqualTypeOf<string | undefined>();
    });
  });

  it("gives lists that may be handed on to code that changes them", () => {
    compiles(async (_, client) => {
      const [run] = (await client.logs()).runs;
      const [letter] = (await client.dlq.list()).messages;
      expectTypeOf(run?.labels).toEqualTypeOf<string[] | undefined>();
      expectTypeOf(letter?.labels).toEqualTypeOf<string[] | undefined>();
      expectTypeOf(run?.failureFunction?.errors).toEqualTypeOf<AttemptError[] | undefined>();
    });
  });

  it("has a name for the JSON of an error", () => {
    const payload: FailureFunctionPayload = { error: "RangeError", message: "too far" };
    expectTypeOf(payload.stack).toEqualTypeOf<string | undefined>();
  });

  it("takes settings or nothing", () => {
    compiles(() => [new Client(), new Client({ token: "t" }), new Client({ baseUrl: "https://a.example" })]);
    // @ts-expect-error there is no such setting
    compiles(() => new Client({ apiKey: "t" }));
  });
});

describe("a duration", () => {
  it("is numbers with a unit", () => {
    expectTypeOf<"30s" | "5m" | "2h" | "1d" | "1d12h" | "1.5h" | "0.5s" | "250ms">().toExtend<Duration>();
    expectTypeOf<"5 minutes">().not.toExtend<Duration>();
    expectTypeOf<`${bigint}s`>().toExtend<Duration>();
    expectTypeOf<"5">().not.toExtend<Duration>();
    expectTypeOf<"5y">().not.toExtend<Duration>();
    expectTypeOf<string>().not.toExtend<Duration>();
  });

  it("is what every step and run takes", () => {
    // @ts-expect-error "5m"
    compiles((context) => context.sleep("s", "5 minutes"));
    // @ts-expect-error "5m"
    compiles((context) => context.waitForEvent("w", "e", { timeout: "5 minutes" }));
    // @ts-expect-error "5m"
    compiles((context) => context.call("c", { url: "https://a.example/", timeout: "5 minutes" }));
    // @ts-expect-error "5m"
    compiles((_, client) => client.trigger({ url: "https://a.example/", delay: "5 minutes" }));
  });
});
