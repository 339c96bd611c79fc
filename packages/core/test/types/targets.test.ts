import { describe, expectTypeOf, it } from "vitest";
import { z } from "zod";
import {
  Client,
  createWorkflow,
  defineEvent,
  type EndedRun,
  serve,
  type TriggerResult,
  type WorkflowContext,
} from "../../src/index.ts";
import { compiles } from "../support/compiles.ts";

interface Order {
  readonly id: string;
  readonly at: Date;
}

const client = () => new Client();
const url = "https://a.example/order";
const order = serve(async (context: WorkflowContext<Order>) => ({ paid: context.requestPayload.id }));
const invoice = createWorkflow(async (context: WorkflowContext<{ amount: number }>) => [
  context.requestPayload.amount,
]);
const checked = serve((context) => context.requestPayload.pieces, {
  schema: z.object({ pieces: z.number() }),
});
const payload: Order = { id: "1", at: new Date() };

describe("a workflow's type", () => {
  it("types the payload and the result of trigger", () => {
    compiles(async () => {
      await client().trigger<typeof order>({ url, body: payload });
      await client().trigger<typeof order>({ url, body: { id: "1", at: "2027-01-01" } });
      const run = await client().trigger<typeof order>({ url, body: payload }, { wait: true });
      expectTypeOf(run.result).toEqualTypeOf<{ paid: string } | undefined>();
      const [first] = await client().trigger<typeof invoice>([{ url, body: { amount: 1 } }], { wait: true });
      expectTypeOf(first?.result).toEqualTypeOf<number[] | undefined>();
    });
    // @ts-expect-error the id is missing
    compiles(() => client().trigger<typeof order>({ url, body: { at: "2027-01-01" } }));
    // @ts-expect-error the payload is missing
    compiles(() => client().trigger<typeof order>({ url }));
    // @ts-expect-error an amount is a number
    compiles(() => client().trigger<typeof invoice>({ url, body: { amount: "1" } }));
  });

  it("has TypeScript show a wrong value where it stands: the last overload explains the call", () => {
    const approval = defineEvent<{ readonly ok: boolean }>("approval");
    compiles(async () => {
      await client().trigger<typeof invoice>({
        url,
        body: {
          // @ts-expect-error an amount is a number
          amount: "1",
        },
      });
      await client().notify({
        eventId: approval,
        eventData: {
          // @ts-expect-error ok is a boolean
          ok: "yes",
        },
      });
    });
  });

  it("types the result of get and wait", () => {
    compiles(async () => {
      expectTypeOf(await client().runs.wait<typeof order>("wfr_1")).toEqualTypeOf<
        EndedRun<{ paid: string }>
      >();
      const run = await client().runs.get<typeof checked>("wfr_1");
      expectTypeOf(run?.result).toEqualTypeOf<number | undefined>();
      const own = await client().runs.wait<{ readonly at: Date }>("wfr_1");
      expectTypeOf(own.result).toEqualTypeOf<{ readonly at: string } | undefined>();
    });
  });
});

describe("a served workflow", () => {
  it("types the payload, and the result of the run that it starts", () => {
    compiles(async () => {
      const started = await client().trigger(order, payload, { url });
      expectTypeOf(started).toEqualTypeOf<TriggerResult<{ paid: string }>>();
      expectTypeOf((await client().runs.wait(started)).result).toEqualTypeOf<{ paid: string } | undefined>();
      const ended = await client().trigger(checked, { pieces: 2 }, { url, wait: { timeout: "1m" } });
      expectTypeOf(ended.result).toEqualTypeOf<number | undefined>();
      await client().trigger(invoice, { amount: 1 }, { url, retries: 1, workflowRunId: "i-1" });
    });
    // @ts-expect-error the id is missing
    compiles(() => client().trigger(order, { at: new Date() }, { url }));
    // @ts-expect-error pieces are a number
    compiles(() => client().trigger(checked, { pieces: "2" }, { url }));
    // @ts-expect-error there is no such option
    compiles(() => client().trigger(order, payload, { url, retry: 1 }));
  });

  it("keeps a written payload's type", () => {
    const written = serve<Order>((context) =>
      expectTypeOf(context.requestPayload.at).toEqualTypeOf<string>(),
    );
    compiles(() => client().trigger(written, payload, { url }));
    // @ts-expect-error the id is missing
    compiles(() => client().trigger(written, {}, { url }));
  });

  it("types the result of a child", () => {
    compiles(async (context) => {
      const { body } = await context.invoke("bill", { workflow: invoice, body: { amount: 1 } });
      expectTypeOf(body).toEqualTypeOf<number[] | undefined>();
    });
  });
});
