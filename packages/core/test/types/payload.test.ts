import { type } from "arktype";
import * as v from "valibot";
import { describe, expectTypeOf, it } from "vitest";
import { z } from "zod";
import {
  createWorkflow,
  type FailureFunction,
  serve,
  type WorkflowContext,
  WorkflowMiddleware,
} from "../../src/index.ts";
import { compiles } from "../support/compiles.ts";

interface Order {
  id: string;
  pieces: number;
}

describe("the payload's type", () => {
  it("is what a schema gives out, in the workflow and in its failure function", () => {
    compiles(() =>
      serve((context) => expectTypeOf(context.requestPayload).toEqualTypeOf<Order>(), {
        schema: z.object({ id: z.string(), pieces: z.number() }),
        failureFunction: ({ context }) => expectTypeOf(context.requestPayload).toEqualTypeOf<Order>(),
      }),
    );
    compiles(() =>
      serve((context) => expectTypeOf(context.requestPayload).toEqualTypeOf<Order>(), {
        schema: v.object({ id: v.string(), pieces: v.number() }),
        failureFunction: ({ context }) => expectTypeOf(context.requestPayload).toEqualTypeOf<Order>(),
      }),
    );
    compiles(() =>
      serve((context) => expectTypeOf(context.requestPayload).toEqualTypeOf<Order>(), {
        schema: type({ id: "string", pieces: "number" }),
        failureFunction: ({ context }) => expectTypeOf(context.requestPayload).toEqualTypeOf<Order>(),
      }),
    );
  });

  it("is a schema's output, not its input", () => {
    compiles(() =>
      serve((context) => expectTypeOf(context.requestPayload).toEqualTypeOf<number>(), {
        schema: z.string().transform((text) => text.length),
      }),
    );
    compiles(() =>
      serve((context) => expectTypeOf(context.requestPayload.retries).toEqualTypeOf<number>(), {
        schema: z.object({ retries: z.number().default(3) }),
      }),
    );
  });

  it("is what a parser returns, also later", () => {
    compiles(() =>
      serve((context) => expectTypeOf(context.requestPayload).toEqualTypeOf<URLSearchParams>(), {
        initialPayloadParser: (text: string) => new URLSearchParams(text),
        failureFunction: ({ context }) =>
          expectTypeOf(context.requestPayload).toEqualTypeOf<URLSearchParams>(),
      }),
    );
    compiles(() =>
      serve((context) => expectTypeOf(context.requestPayload).toEqualTypeOf<number>(), {
        initialPayloadParser: async (text: string) => text.length,
      }),
    );
  });

  it("is what is written down, or what the workflow wants", () => {
    compiles(() =>
      serve<Order>((context) => expectTypeOf(context.requestPayload).toEqualTypeOf<Order>(), {
        failureFunction: ({ context }) => expectTypeOf(context.requestPayload).toEqualTypeOf<Order>(),
      }),
    );
    const fulfil = (context: WorkflowContext<Order>) => context.requestPayload.id;
    const undo: FailureFunction<Order> = ({ context }) => context.requestPayload.id;
    compiles(() => serve(fulfil, { failureFunction: undo }));
    compiles(() => serve(fulfil, { schema: z.object({ id: z.string(), pieces: z.number() }) }));
    // @ts-expect-error the schema lets through what the workflow doesn't take
    compiles(() => serve(fulfil, { schema: z.object({ id: z.number() }) }));
    // @ts-expect-error the failure function wants another payload
    compiles(() => serve((_: WorkflowContext<string>) => 1, { failureFunction: undo }));
  });

  interface Booking {
    readonly at: Date;
    readonly seats: Map<string, number>;
    cancel(): void;
  }
  interface JsonBooking {
    readonly at: string;
    readonly seats: Record<never, never>;
  }

  it("is what JSON makes of the written type, in each function of the workflow", () => {
    compiles(() =>
      serve<Booking>((context) => expectTypeOf(context.requestPayload).toEqualTypeOf<JsonBooking>(), {
        retries: 1,
        failureFunction: ({ context }) => expectTypeOf(context.requestPayload).toEqualTypeOf<JsonBooking>(),
        cancelFunction: ({ context }) => expectTypeOf(context.requestPayload).toEqualTypeOf<JsonBooking>(),
        middlewares: [new WorkflowMiddleware<JsonBooking>({ name: "own", callbacks: {} })],
      }),
    );
    compiles(() => serve<Date>((context) => expectTypeOf(context.requestPayload).toEqualTypeOf<string>()));
    compiles(() =>
      createWorkflow<Booking>((context) => expectTypeOf(context.requestPayload).toEqualTypeOf<JsonBooking>()),
    );
  });

  it("is the schema's or the parser's output where a type is written beside it", () => {
    compiles(() =>
      serve<{ at: Date }>((context) => expectTypeOf(context.requestPayload).toEqualTypeOf<{ at: Date }>(), {
        schema: z.object({ at: z.coerce.date() }),
      }),
    );
    compiles(() =>
      createWorkflow<Date>((context) => expectTypeOf(context.requestPayload).toEqualTypeOf<Date>(), {
        initialPayloadParser: (text: string) => new Date(text),
      }),
    );
    const due = (context: WorkflowContext<{ at: Date }>) => context.requestPayload.at.getTime();
    compiles(() => serve(due, { schema: z.object({ at: z.coerce.date() }) }));
  });

  it("of a workflow that another one invokes may be given as it is, or as JSON carries it", () => {
    const booking = createWorkflow<{ at: Date }>((context) => context.requestPayload.at.length);
    compiles((context) => context.invoke("a", { workflow: booking, body: { at: new Date() } }));
    compiles((context) => context.invoke("a", { workflow: booking, body: { at: "2026-11-28" } }));
    // @ts-expect-error another payload
    compiles((context) => context.invoke("a", { workflow: booking, body: { at: 1 } }));
  });

  it("is unknown where nobody says", () => {
    compiles(() => serve((context) => expectTypeOf(context.requestPayload).toEqualTypeOf<unknown>()));
  });
});
