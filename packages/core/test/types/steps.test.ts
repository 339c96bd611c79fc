import { describe, expectTypeOf, it } from "vitest";
import { z } from "zod";
import {
  type CallResponse,
  createWorkflow,
  type FailureFunctionParams,
  type InvokeResponse,
  type Jsonify,
  type RunContext,
  serve,
  serveMany,
  type WaitResponse,
  type WebhookResponse,
  type WorkflowContext,
} from "../../src/index.ts";
import { compiles } from "../support/compiles.ts";

interface Order {
  id: string;
  pieces: number;
}

describe("a step's result", () => {
  it("is what run's function returns, awaited", () => {
    compiles(async (context) => {
      expectTypeOf(context.run("a promise of one", async () => 1)).toEqualTypeOf<Promise<number>>();
      expectTypeOf(await context.run("sync", () => 1)).toEqualTypeOf<number>();
      expectTypeOf(await context.run("async", async () => ({ a: "b" }))).toEqualTypeOf<{ a: string }>();
      expectTypeOf(await context.run("nothing", () => {})).toEqualTypeOf<void>();
      expectTypeOf(await context.run("later nothing", async () => {})).toEqualTypeOf<void>();
      const either = (): string | number => 1;
      expectTypeOf(await context.run("union", either)).toEqualTypeOf<string | number>();
      const perhaps = (): number | Promise<number> => 1;
      expectTypeOf(await context.run("now or later", perhaps)).toEqualTypeOf<number>();
      expectTypeOf(await context.run<"a" | "b">("given", () => "a")).toEqualTypeOf<"a" | "b">();
    });
  });

  it("stays with its branch in a group", () => {
    compiles(async (context) => {
      const all = await Promise.all([context.run("a", () => 1), context.run("b", async () => "x")]);
      expectTypeOf(all).toEqualTypeOf<[number, string]>();
      const first = await Promise.race([context.run("a", () => 1), context.run("b", () => "x")]);
      expectTypeOf(first).toEqualTypeOf<number | string>();
    });
  });

  it("of a call has the body that is asked for, and an unknown one otherwise", () => {
    compiles(async (context) => {
      const request = { url: "https://a.example/" };
      expectTypeOf(await context.call("c", request)).toEqualTypeOf<CallResponse<unknown>>();
      expectTypeOf(await context.call<Order>("c", request)).toEqualTypeOf<CallResponse<Order>>();
      const chat = { token: "t", operation: "chat.completions.create", body: {} } as const;
      expectTypeOf(await context.api.openai.call<Order>("c", chat)).toEqualTypeOf<CallResponse<Order>>();
    });
  });

  it("of a provider's call has the parts that most read", () => {
    compiles(async ({ api }) => {
      const chat = { token: "t", operation: "chat.completions.create", body: {} } as const;
      const { body } = await api.openai.call("c", chat);
      expectTypeOf(body.choices[0]?.message.content).toEqualTypeOf<string | null | undefined>();
      const message = { token: "t", operation: "messages.create", body: {} } as const;
      const said = await api.anthropic.call("c", message);
      expectTypeOf(said.body.content[0]?.text).toEqualTypeOf<string | undefined>();
      const one = await api.resend.call("c", { token: "t", body: {} });
      expectTypeOf(one.body.id).toEqualTypeOf<string>();
      const all = await api.resend.call("c", { token: "t", batch: true, body: [] });
      expectTypeOf(all.body.data[0]?.id).toEqualTypeOf<string | undefined>();
    });
  });

  it("of a wait tells by timeout what there is", () => {
    compiles(async (context) => {
      const event = await context.waitForEvent<Order>("w", "e");
      expectTypeOf(event).toEqualTypeOf<WaitResponse<Order>>();
      if (event.timeout) expectTypeOf(event.eventData).toEqualTypeOf<undefined>();
      else expectTypeOf(event.eventData).toEqualTypeOf<Order>();
      expectTypeOf((await context.waitForEvent("w", "e")).eventData).toEqualTypeOf<unknown>();

      const hit = await context.waitForWebhook("w", await context.createWebhook("h"), "1h");
      expectTypeOf(hit).toEqualTypeOf<WebhookResponse>();
      if (hit.timeout) expectTypeOf(hit.request).toEqualTypeOf<undefined>();
      else expectTypeOf(hit.request).toEqualTypeOf<Request>();
    });
  });

  it("of a sleep and of a cancel is nothing", () => {
    compiles((context) => {
      expectTypeOf(context.sleep("s", 1)).resolves.toEqualTypeOf<void>();
      expectTypeOf(context.sleepUntil("s", new Date())).resolves.toEqualTypeOf<void>();
      expectTypeOf(context.cancel()).resolves.toEqualTypeOf<never>();
    });
  });

  it("needs a function to come from", () => {
    // @ts-expect-error a promise has begun already
    compiles((context) => context.run("r", Promise.resolve(1)));
    // @ts-expect-error a value is no work
    compiles((context) => context.run("r", 1));
    // @ts-expect-error a step has a name
    compiles((context) => context.run(() => 1));
  });
});

describe("a workflow that others start", () => {
  const child = createWorkflow(async (context: WorkflowContext<Order>) => ({
    cost: context.requestPayload.pieces,
  }));
  const inferred = createWorkflow((context) => context.requestPayload.id, {
    schema: z.object({ id: z.string() }),
  });
  const silent = createWorkflow(async () => {});

  it("carries its payload and result through invoke", () => {
    compiles(async (context) => {
      const body = { id: "a", pieces: 2 };
      const invoked = await context.invoke("i", { workflow: child, body });
      expectTypeOf(invoked).toEqualTypeOf<InvokeResponse<{ cost: number }>>();
      const other = await context.invoke("i", { workflow: inferred, body: { id: "a" } });
      expectTypeOf(other.body).toEqualTypeOf<string | undefined>();
      const none = await context.invoke("i", { workflow: silent, body: undefined });
      expectTypeOf(none.body).toEqualTypeOf<Jsonify<void> | undefined>();
    });
  });

  it("has a result only where it has neither failed nor been cancelled", () => {
    compiles(async (context) => {
      const kid = await context.invoke("i", { workflow: child, body: { id: "a", pieces: 2 } });
      // @ts-expect-error it may have failed
      kid.body.cost;
      if (kid.isFailed || kid.isCanceled) expectTypeOf(kid.body).toEqualTypeOf<undefined>();
      else expectTypeOf(kid.body).toEqualTypeOf<{ cost: number }>();
      const { body, isFailed, isCanceled } = await context.invoke("i", {
        workflow: inferred,
        body: { id: "a" },
      });
      if (!isFailed && !isCanceled) expectTypeOf(body).toEqualTypeOf<string>();
    });
  });

  it("needs no payload where the child takes none", () => {
    const none = createWorkflow(async (_: WorkflowContext<undefined>) => 1);
    const perhaps = createWorkflow(async (_: WorkflowContext<string | undefined>) => 1);
    compiles((context) => [
      context.invoke("i", { workflow: none }),
      context.invoke("i", { workflow: silent }),
      context.invoke("i", { workflow: perhaps }),
      context.invoke("i", { workflow: perhaps, body: "a" }),
    ]);
    // @ts-expect-error it takes none
    compiles((context) => context.invoke("i", { workflow: none, body: "a" }));
  });

  it("refuses another payload", () => {
    // @ts-expect-error a piece is missing
    compiles((context) => context.invoke("i", { workflow: child, body: { id: "a" } }));
    // @ts-expect-error it has a payload
    compiles((context) => context.invoke("i", { workflow: child }));
    // @ts-expect-error its schema says text
    compiles((context) => context.invoke("i", { workflow: inferred, body: { id: 1 } }));
    // @ts-expect-error a piece is missing
    compiles((context) => context.call("c", { workflow: child, body: { id: "a" } }));
  });

  it("is called for its run's id", () => {
    compiles(async (context) => {
      const { body } = await context.call("c", { workflow: child, body: { id: "a", pieces: 1 } });
      expectTypeOf(body).toEqualTypeOf<{ workflowRunId: string }>();
    });
  });

  it("is served with others, and shares only what can be shared", () => {
    compiles(() => serveMany({ child, inferred, silent }, { retries: 1, verbose: true }));
    compiles(() => serveMany({ child }, { failureFunction: ({ context }) => context.label }));
    // @ts-expect-error each workflow has its own
    compiles(() => serveMany({ child }, { url: "https://a.example/" }));
    // @ts-expect-error a bare function can't be invoked
    compiles(() => serveMany({ child: () => 1 }));
  });
});

describe("a failed run's context", () => {
  it("has properties and no steps", () => {
    type Steps = Exclude<keyof WorkflowContext, keyof RunContext>;
    expectTypeOf<Steps>().toEqualTypeOf<
      | "api"
      | "call"
      | "cancel"
      | "createWebhook"
      | "invoke"
      | "notify"
      | "run"
      | "sleep"
      | "sleepUntil"
      | "waitForEvent"
      | "waitForWebhook"
    >();
    expectTypeOf<FailureFunctionParams<Order>["context"]>().toEqualTypeOf<RunContext<Order>>();
    // @ts-expect-error a failure function has no steps
    compiles(() => serve(() => 1, { failureFunction: ({ context }) => context.run("r", () => 1) }));
    // @ts-expect-error a failure function has no steps
    compiles(() => serve(() => 1, { failureFunction: ({ context }) => context.sleep("s", 1) }));
  });

  it("comes with what is known of the failure", () => {
    expectTypeOf<FailureFunctionParams>().toExtend<{
      failStatus: number;
      failResponse: string;
      failHeaders: Record<string, string[]>;
      failStack: string;
    }>();
    compiles(() => serve(() => 1, { failureFunction: () => "sync" }));
    compiles(() => serve(() => 1, { failureFunction: async () => ({ later: true }) }));
  });
});
