import { type } from "arktype";
import * as v from "valibot";
import { describe, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { type FailureFunction, serve, type WorkflowContext } from "../../src/index.ts";
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

  it("is unknown where nobody says", () => {
    compiles(() => serve((context) => expectTypeOf(context.requestPayload).toEqualTypeOf<unknown>()));
  });
});
