import { describe, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { createWorkflow, type Jsonify, serve, type WorkflowContext } from "../../src/index.ts";
import { compiles } from "../support/compiles.ts";

class Money {
  readonly #cents: number;
  readonly currency: string = "EUR";
  constructor(cents: number) {
    this.#cents = cents;
  }
  format(): string {
    return `${this.#cents} ${this.currency}`;
  }
}

class Temperature {
  readonly kelvin: number = 300;
  toJSON(): { readonly celsius: Date } {
    return { celsius: new Date(this.kelvin) };
  }
}

class Declined extends Error {
  readonly reason: "funds" | "fraud" = "funds";
}

interface Tree {
  at: Date;
  parent?: Tree;
  children: Tree[];
}

interface Contact {
  name: string;
  message: string;
}

describe("what JSON makes of a type", () => {
  it("leaves alone what is JSON already", () => {
    expectTypeOf<Jsonify<string>>().toEqualTypeOf<string>();
    expectTypeOf<Jsonify<"a" | 1 | true | null>>().toEqualTypeOf<"a" | 1 | true | null>();
    expectTypeOf<Jsonify<{ a: string; b?: number; readonly c: string[] }>>().toEqualTypeOf<{
      a: string;
      b?: number;
      readonly c: string[];
    }>();
    expectTypeOf<Jsonify<Contact>>().toEqualTypeOf<{ name: string; message: string }>();
    type Id = string & { readonly brand: "id" };
    expectTypeOf<Jsonify<{ id: Id }>>().toEqualTypeOf<{ id: Id }>();
    expectTypeOf<Jsonify<void>>().toEqualTypeOf<void>();
    expectTypeOf<Jsonify<undefined>>().toEqualTypeOf<undefined>();
    expectTypeOf<Jsonify<never>>().toEqualTypeOf<never>();
  });

  it("knows nothing of unknown and any", () => {
    expectTypeOf<Jsonify<unknown>>().toEqualTypeOf<unknown>();
    expectTypeOf<Jsonify<{ a: unknown; b: unknown[] }>>().toEqualTypeOf<{ a: unknown; b: unknown[] }>();
    const anything = JSON.parse("{}");
    expectTypeOf<Jsonify<typeof anything>>().toBeAny();
    expectTypeOf<Jsonify<{ a: typeof anything }>["a"]>().toBeAny();
  });

  it("asks toJSON, and writes what that gives", () => {
    expectTypeOf<Jsonify<Date>>().toEqualTypeOf<string>();
    expectTypeOf<Jsonify<URL>>().toEqualTypeOf<string>();
    expectTypeOf<Jsonify<Temperature>>().toEqualTypeOf<{ readonly celsius: string }>();
    expectTypeOf<Jsonify<{ at: Date | null; on?: Date }>>().toEqualTypeOf<{
      at: string | null;
      on?: string;
    }>();
  });

  it("writes {} for collections and other objects without properties of their own", () => {
    type Empty = Record<never, never>;
    expectTypeOf<Jsonify<Map<string, Date>>>().toEqualTypeOf<Empty>();
    expectTypeOf<Jsonify<ReadonlyMap<string, number>>>().toEqualTypeOf<Empty>();
    expectTypeOf<Jsonify<Set<string>>>().toEqualTypeOf<Empty>();
    expectTypeOf<Jsonify<WeakMap<object, string>>>().toEqualTypeOf<Empty>();
    expectTypeOf<Jsonify<RegExp>>().toEqualTypeOf<Empty>();
    expectTypeOf<Jsonify<Response>>().toEqualTypeOf<Empty>();
    expectTypeOf<Jsonify<{ tags: Set<string> }>>().toEqualTypeOf<{ tags: Empty }>();
    expectTypeOf<Jsonify<Error>>().toEqualTypeOf<Empty>();
    expectTypeOf<Jsonify<Declined>>().toEqualTypeOf<{ readonly reason: "funds" | "fraud" }>();
    expectTypeOf<Jsonify<Float64Array>>().toEqualTypeOf<Record<string, number>>();
  });

  it("drops functions, methods and symbols", () => {
    expectTypeOf<Jsonify<() => void>>().toEqualTypeOf<undefined>();
    expectTypeOf<Jsonify<symbol>>().toEqualTypeOf<undefined>();
    expectTypeOf<Jsonify<Money>>().toEqualTypeOf<{ readonly currency: string }>();
    interface Mixed {
      a: string;
      run(): void;
      new?: new () => Money;
      mark: symbol;
      [Symbol.iterator](): Iterator<string>;
    }
    expectTypeOf<Jsonify<Mixed>>().toEqualTypeOf<{ a: string }>();
    expectTypeOf<Jsonify<{ a: string | (() => void) }>>().toEqualTypeOf<{ a?: string }>();
    expectTypeOf<Jsonify<(string | (() => void))[]>>().toEqualTypeOf<(string | null)[]>();
  });

  it("leaves out members that are undefined, and writes null for them in lists", () => {
    expectTypeOf<Jsonify<{ a: string | undefined; b: number }>>().toEqualTypeOf<{ a?: string; b: number }>();
    expectTypeOf<Jsonify<{ a: undefined }>>().toEqualTypeOf<{ a?: never }>();
    expectTypeOf<Jsonify<(Date | undefined)[]>>().toEqualTypeOf<(string | null)[]>();
    expectTypeOf<Jsonify<Record<string, Date | undefined>>>().toEqualTypeOf<{
      [key: string]: string | undefined;
    }>();
    expectTypeOf<Jsonify<string | undefined>>().toEqualTypeOf<string | undefined>();
  });

  it("goes into unions, tuples, readonly lists and index signatures", () => {
    type Shape = { kind: "at"; at: Date } | { kind: "in"; seconds: number; at?: never };
    const shape = {} as Jsonify<Shape>;
    compiles(() => {
      if (shape.kind === "at") expectTypeOf(shape.at).toEqualTypeOf<string>();
      else expectTypeOf(shape.seconds).toEqualTypeOf<number>();
    });
    expectTypeOf<Jsonify<[Date, number, () => void]>>().toEqualTypeOf<[string, number, null]>();
    expectTypeOf<Jsonify<readonly [name: Date, ...rest: Set<1>[]]>>().toEqualTypeOf<
      readonly [name: string, ...rest: Record<never, never>[]]
    >();
    expectTypeOf<Jsonify<[a: Date, b?: number]>>().toEqualTypeOf<[a: string, b?: number | null]>();
    expectTypeOf<Jsonify<readonly Date[]>>().toEqualTypeOf<readonly string[]>();
    expectTypeOf<Jsonify<Record<"a" | "b", Date>>>().toEqualTypeOf<{ a: string; b: string }>();
    expectTypeOf<Jsonify<Record<string, Date>>>().toEqualTypeOf<{ [key: string]: string }>();
  });

  it("follows types that hold themselves", () => {
    const tree = {} as Jsonify<Tree>;
    compiles(() => {
      expectTypeOf(tree.at).toEqualTypeOf<string>();
      expectTypeOf(tree.children[0]?.children[0]?.at).toEqualTypeOf<string | undefined>();
      expectTypeOf(tree.parent?.parent?.at).toEqualTypeOf<string | undefined>();
    });
    type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
    expectTypeOf<Json>().toExtend<Jsonify<Json>>();
    compiles((context) => [context.run("a", () => [] as Json), context.run("b", () => ({ a: {} as Json }))]);
    interface Lists extends Array<Lists | Date> {}
    expectTypeOf<Jsonify<Lists>[number]>().toExtend<string | object>();
    expectTypeOf<Jsonify<Json>>().toExtend<Json>();
  });
});

describe("a step's result", () => {
  it("is what JSON makes of what was returned", () => {
    compiles(async (context) => {
      const read = await context.run("a", () => ({ at: new Date(), tags: new Set(["a"]), save() {} }));
      expectTypeOf(read).toEqualTypeOf<{ at: string; tags: Record<never, never> }>();
      // @ts-expect-error it is a string by now
      read.at.getTime();
      expectTypeOf(await context.run("b", async () => new Map([[1, 2]]))).toEqualTypeOf<
        Record<never, never>
      >();
      expectTypeOf(await context.run("c", (): unknown => 1)).toEqualTypeOf<unknown>();
      expectTypeOf(await context.run("d", () => JSON.parse("1"))).toBeAny();
      expectTypeOf((await context.run("e", () => ({}) as Tree)).children[0]?.at).toEqualTypeOf<
        string | undefined
      >();
    });
  });

  it("is told so to its rollback", () => {
    compiles((context) =>
      context.run("a", () => ({ at: new Date() }), {
        rollback: ({ result }) => expectTypeOf(result).toEqualTypeOf<{ at: string } | undefined>(),
      }),
    );
  });

  it("holds no bigint, however deep", () => {
    // @ts-expect-error JSON has no bigint
    compiles((context) => context.run("a", () => 1n));
    // @ts-expect-error JSON has no bigint
    compiles((context) => context.run("a", async () => ({ orders: [{ total: 1n }] })));
    // @ts-expect-error one of two is enough
    compiles((context) => context.run("a", (): string | bigint => 1n));
    // @ts-expect-error an optional one is one
    compiles((context) => context.run("a", () => ({}) as { total?: bigint }));
    // @ts-expect-error its elements are such
    compiles((context) => context.run("a", () => new BigInt64Array(1)));
    expectTypeOf<Jsonify<bigint>>().toEqualTypeOf<never>();
    compiles((context) => [
      context.run("a", () => ({ total: { toJSON: () => "1", value: 1n } })),
      context.run("a", () => ({}) as Tree),
    ]);
  });

  it("may be of a type that only the caller of a function knows", () => {
    const traced = async <Result>(
      context: WorkflowContext,
      name: string,
      work: () => Promise<Result>,
    ): Promise<Jsonify<Result>> => context.run(name, () => work());
    compiles(async (context) => {
      expectTypeOf(await traced(context, "a", async () => new Date())).toEqualTypeOf<string>();
    });
  });
});

describe("what runs tell each other", () => {
  const report = createWorkflow(async (_: WorkflowContext<{ since: string }>) => ({
    at: new Date(),
    seen: new Map<string, number>(),
  }));

  it("a child's result is what JSON makes of it", () => {
    compiles(async (context) => {
      const { body } = await context.invoke("a", { workflow: report, body: { since: "2030" } });
      expectTypeOf(body).toEqualTypeOf<{ at: string; seen: Record<never, never> } | undefined>();
    });
    // @ts-expect-error JSON has no bigint
    compiles(() => createWorkflow(async () => 1n));
    // @ts-expect-error JSON has no bigint
    compiles(() => serve(async () => ({ total: 1n })));
  });

  it("a child's payload may be given as it is read, or as it is sent", () => {
    const since = createWorkflow(async ({ requestPayload }) => requestPayload.since.getTime(), {
      schema: z.object({ since: z.coerce.date() }),
    });
    compiles((context) => [
      context.invoke("a", { workflow: since, body: { since: new Date() } }),
      context.invoke("a", { workflow: since, body: { since: "2030-01-01" } }),
      context.call("b", { workflow: since, body: { since: "2030-01-01" } }),
    ]);
    // @ts-expect-error it is neither
    compiles((context) => context.invoke("a", { workflow: since, body: { since: 1 } }));
    const count = createWorkflow(async (_: WorkflowContext<{ n: bigint }>) => 1);
    // @ts-expect-error JSON has no bigint
    compiles((context) => context.invoke("a", { workflow: count, body: { n: 1n } }));
  });

  it("an event is what JSON makes of it", () => {
    compiles(async (context) => {
      const event = await context.waitForEvent<{ at: Date }>("a", "b");
      if (!event.timeout) expectTypeOf(event.eventData).toEqualTypeOf<{ at: string }>();
    });
  });
});
