import { sampled } from "@perdure/test-support/sample";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { WorkflowContext } from "../src/index.ts";
import { type Crash, TestEngine } from "./support/engine.ts";
import { open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
beforeEach(() => void vi.spyOn(console, "error").mockImplementation(() => {}));
afterEach(() => vi.restoreAllMocks());

const io = async (turns: number): Promise<void> => {
  for (let turn = 0; turn < turns; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
};

/** One execution of a workflow. */
interface Tools {
  readonly context: WorkflowContext;
  /** A step that takes another time in each invocation. */
  step(name: string): Promise<string>;
  /** A step that fails for good. */
  failing(name: string): Promise<string>;
  /** Sends the event for which the workflow waits. */
  notify(eventId: string): void;
  /** The workflow has received this. */
  see(what: string): string;
}

type Play = (tools: Tools) => Promise<unknown>;

const CASES: readonly [name: string, play: Play][] = [
  [
    "Promise.race of steps, whose losers go on beside the next race",
    async ({ step, see }) => {
      for (const round of [1, 2, 3])
        see(await Promise.race(["a", "b", "c"].map((name) => step(`${name}${round}`))));
    },
  ],
  [
    "Promise.race of a step and an event",
    async ({ context, step, notify, see }) => {
      const stop = context.waitForEvent("stop", "stop", { timeout: "1h" });
      const work = async () => {
        await step("first");
        await context.run("tell", () => notify("stop"));
        return step("second");
      };
      see(await Promise.race([work(), stop.then(() => "stopped")]));
      see(await step("after"));
    },
  ],
  [
    "Promise.race of a sleep and steps",
    async ({ context, step, see }) => {
      see(await Promise.race([context.sleep("nap", 1).then(() => "slept"), step("work")]));
      see(await step("after"));
    },
  ],
  [
    "Promise.any, where some fail",
    async ({ step, failing, see }) => {
      for (const round of [1, 2]) {
        const steps = [failing(`x${round}`), step(`a${round}`), step(`b${round}`), failing(`y${round}`)];
        see(await Promise.any(steps));
      }
    },
  ],
  [
    "Promise.allSettled, each branch at its own pace",
    async ({ step, failing, see }) => {
      const chain = async (name: string) => {
        for (const part of [1, 2, 3]) see(await step(`${name}${part}`));
      };
      const settled = await Promise.allSettled([chain("a"), failing("x").catch(see), chain("b")]);
      expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
    },
  ],
  [
    "siblings that start late, after work of the workflow's own",
    async ({ step, see }) => {
      const late = async (name: string, turns: number) => {
        await io(turns);
        return see(await step(name));
      };
      see(`won: ${await Promise.race([late("early", 0), late("late", 3), late("later", 7)])}`);
      see(await step("after"));
    },
  ],
  [
    "loops with the same names, in branches",
    async ({ context, step, see }) => {
      const loop = async (branch: string) => {
        for (const round of [1, 2, 3]) {
          await step("page");
          see(`${branch}${round}`);
        }
      };
      await Promise.all([loop("a"), loop("b")]);
      const same = ["a", "b"].map((branch) => context.run("same", () => branch));
      see(`won: ${await Promise.race(same)}`);
    },
  ],
  [
    "generators that draw steps",
    async ({ step, see }) => {
      async function* pages(name: string) {
        for (const page of [1, 2])
          yield await Promise.race([step(`${name}${page}`), step(`${name}${page}'`)]);
      }
      const read = async (name: string) => {
        for await (const page of pages(name)) see(page);
      };
      await Promise.all([read("p"), read("q")]);
    },
  ],
];

/** Plays a workflow, whose invocation dies at most once. */
async function play(workflow: Play, crash: Crash | undefined, seed: number) {
  recorder().reset();
  const invocations: string[][] = [];
  let state = seed + 1;
  const turns = (): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state % 6;
  };
  const served = async (context: WorkflowContext) => {
    const seen: string[] = [];
    invocations.push(seen);
    await workflow({
      context,
      step: (name) => context.run(name, () => io(turns()).then(() => name)),
      failing: (name) =>
        context.run(name, () => io(turns()).then(() => Promise.reject(new Error(`no ${name}`))), {
          retries: 0,
          onExhausted: "throw",
        }),
      notify: (eventId) => engine.notify(eventId, "now"),
      see: (what) => {
        seen.push(String(what));
        return what;
      },
    });
    return seen;
  };
  const engine: TestEngine = new TestEngine("inline", recorder(), () => open(recorder(), served));
  if (crash) engine.crash = crash;
  const end = await engine.run();
  return { end, engine, invocations };
}

function expectSameBeginning(a: readonly string[], b: readonly string[], why: string): void {
  const length = Math.min(a.length, b.length);
  expect(a.slice(0, length), why).toEqual(b.slice(0, length));
}

describe("wherever an invocation dies, the next ones see the same results in the same order", () => {
  it.each(CASES)("%s", async (_name, workflow) => {
    for (const seed of sampled([1, 2, 3], 3)) {
      const whole = await play(workflow, undefined, seed);
      const crashes: Crash[] = [
        ...whole.engine.appends.flatMap((_, at) => [
          { append: at + 1, stored: true },
          { append: at + 1, stored: false },
        ]),
        ...Array.from({ length: whole.end.deliveries }, (_, at) => ({ answer: at + 1 })),
      ];
      for (const crash of [undefined, ...crashes]) {
        const { end, invocations } = await play(workflow, crash, seed);
        const why = JSON.stringify({ crash, seed, answer: end.answer, invocations });
        expect(end.state, why).toBe("succeeded");
        // Steps that the workflow leaves behind may end after it, or die with their invocation.
        for (const seen of invocations) expectSameBeginning(end.result as string[], seen, why);
      }
    }
  });
});
