import { describe, expectTypeOf, it } from "vitest";
import { Client, type EndedRun, type TriggerResult } from "../../src/index.ts";
import { compiles } from "../support/compiles.ts";

const url = "https://a.example/";
const client = () => new Client();

describe("trigger", () => {
  it("returns what it has started", () => {
    compiles(() => {
      expectTypeOf(client().trigger({ url })).toEqualTypeOf<Promise<TriggerResult>>();
      expectTypeOf(client().trigger([{ url }])).toEqualTypeOf<Promise<TriggerResult[]>>();
    });
  });

  it("returns ended runs when it waits, with results as JSON carries them", () => {
    interface Receipt {
      readonly at: Date;
    }
    compiles(async () => {
      const run = await client().trigger<Receipt>({ url }, { wait: true });
      expectTypeOf(run.result).toEqualTypeOf<{ readonly at: string } | undefined>();
      expectTypeOf(run.deduplicated).toEqualTypeOf<boolean>();
      expectTypeOf(run).toExtend<EndedRun<Receipt>>();
      const [first] = await client().trigger<Receipt>([{ url }], { wait: { timeout: "1m" } });
      expectTypeOf(first?.result).toEqualTypeOf<{ readonly at: string } | undefined>();
      // @ts-expect-error no limit
      await client().trigger({ url }, { wait: "1m" });
    });
  });
});
