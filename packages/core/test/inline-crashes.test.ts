import { sampled } from "@perdure/test-support/sample";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { WorkflowContext } from "../src/index.ts";
import { type Crash, TestEngine } from "./support/engine.ts";
import { open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
beforeEach(() => void vi.spyOn(console, "error").mockImplementation(() => {}));
afterEach(() => vi.restoreAllMocks());

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
const WORKFLOWS = Number(process.env.WORKFLOWS ?? 25);

/** A part of a random workflow. */
type Node =
  | { readonly kind: "step"; readonly name: string; readonly turns: number; readonly failures: number }
  | { readonly kind: "caught" | "sleep" | "own" | "call"; readonly name: string; readonly turns: number }
  | { readonly kind: "event"; readonly name: string; readonly notified: boolean }
  | { readonly kind: "sequence" | "all" | "race" | "any" | "allSettled"; readonly parts: readonly Node[] };

class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed * 2 + 1;
  }
  below(limit: number): number {
    this.#state = (this.#state * 48_271) % 2_147_483_647;
    return this.#state % limit;
  }
  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }
}

function makeNode(random: Random, depth: number): Node {
  const leaf = depth === 0 || random.below(4) === 0;
  if (!leaf) {
    const kind = random.pick(["sequence", "sequence", "all", "race", "any", "allSettled"] as const);
    const parts = Array.from({ length: 1 + random.below(3) }, () => makeNode(random, depth - 1));
    return { kind, parts };
  }
  // Few names: many steps have the same.
  const name = random.pick(["a", "b", "c"]);
  const turns = random.below(6);
  switch (random.below(10)) {
    case 0:
      return { kind: "sleep", name, turns };
    case 1:
      return { kind: "caught", name, turns };
    case 2:
      return { kind: "own", name, turns };
    case 3:
      return { kind: "event", name, notified: random.below(2) === 0 };
    case 4:
      return { kind: "call", name, turns };
    default:
      return { kind: "step", name, turns, failures: random.below(5) === 0 ? 1 : 0 };
  }
}

const io = (turns: number) =>
  new Promise<void>((resolve) => {
    let left = turns;
    const next = () => (left-- > 0 ? setImmediate(next) : resolve());
    next();
  });

/** What the invocations of one run have done and seen. */
class World {
  /** Each result is a new one: a step that runs anew is noticed. */
  #results = 0;
  readonly invocations: { values: string[]; winners: [string, string, number][] }[] = [];
  readonly failed = new Map<string, number>();
  engine: TestEngine | undefined;

  readonly workflow = (node: Node) => async (context: WorkflowContext) => {
    const seen = { values: [] as string[], winners: [] as [string, string, number][] };
    this.invocations.push(seen);
    return this.#run(node, "0", context, seen);
  };

  async #run(
    node: Node,
    path: string,
    context: WorkflowContext,
    seen: World["invocations"][number],
  ): Promise<string> {
    const parts = () =>
      "parts" in node ? node.parts.map((part, at) => this.#run(part, `${path}.${at}`, context, seen)) : [];
    const won = (value: string) => {
      seen.winners.push([path, value, seen.values.length]);
      return value;
    };
    switch (node.kind) {
      case "sequence": {
        const results: string[] = [];
        for (const [at, part] of node.parts.entries())
          results.push(await this.#run(part, `${path}.${at}`, context, seen));
        return `(${results.join(" ")})`;
      }
      case "all":
        return `[${(await Promise.all(parts())).join(" ")}]`;
      case "allSettled":
        return `{${(await Promise.allSettled(parts())).map((one) => (one.status === "fulfilled" ? one.value : "!")).join(" ")}}`;
      case "race":
        return won(await Promise.race(parts()));
      case "any":
        return won(await Promise.any(parts()));
      case "own":
        // Work of the workflow's own takes another time in each invocation: equal names after it would be told apart by chance.
        await io(node.turns);
        return this.#step(`${node.name} later ${path}`, node.turns, 0, context, seen);
      case "step":
        return this.#step(node.name, node.turns, node.failures, context, seen, path);
      case "caught":
        return context
          .run(node.name, () => Promise.reject(new Error(`no ${node.name}`)), {
            onExhausted: "throw",
            retries: 1,
          })
          .catch((error) => `caught ${error.message}`);
      case "sleep":
        await context.sleep(node.name, 1 + node.turns);
        return "slept";
      case "call":
        return String((await context.call(node.name, { url: "https://api.example.com/" })).body);
      case "event": {
        const wait = context.waitForEvent(node.name, `event ${path}`, { timeout: 10 });
        if (node.notified)
          await context.run(`notify ${path}`, async () => {
            await io(2);
            this.engine?.notify(`event ${path}`, "come");
            return 1;
          });
        return (await wait).timeout ? "timeout" : "event";
      }
      default:
        return node satisfies never;
    }
  }

  async #step(
    name: string,
    turns: number,
    failures: number,
    context: WorkflowContext,
    seen: World["invocations"][number],
    path = "",
  ): Promise<string> {
    const value = await context.run(name, async ({ idempotencyKey }) => {
      this.#expectStored(seen.values, idempotencyKey);
      await io(turns);
      const failed = this.failed.get(path) ?? 0;
      this.failed.set(path, failed + 1);
      if (failed < failures) throw new Error(`not yet ${path}`);
      return `${name}${++this.#results}`;
    });
    seen.values.push(value);
    return value;
  }

  /** A step begins: everything that its invocation has seen is on disk, and the step itself isn't. */
  #expectStored(values: readonly string[], key: string): void {
    const records = this.engine?.records ?? [];
    const stored = new Set(records.map(({ out }) => out));
    for (const value of values)
      if (!stored.has(JSON.stringify(value))) throw new TypeError(`begun before ${value} was stored`);
    const isRecorded = records.some(
      ({ stepId, stepName, nth = 1, stepType }) =>
        stepId > 0 && key === `wfr_test/${stepType}/${nth}/${stepName}`,
    );
    if (isRecorded) throw new TypeError(`${key} begun again`);
  }

  /** Every invocation that has seen only what is on record has seen the same races won as the last one. */
  expectSameWinners(): void {
    const last = new Map(this.invocations.at(-1)?.winners.map(([path, winner]) => [path, winner]));
    const stored = new Set(this.engine?.records.map(({ out }) => out));
    for (const { values, winners } of this.invocations)
      for (const [path, winner, count] of winners)
        if (last.has(path) && values.slice(0, count).every((value) => stored.has(JSON.stringify(value))))
          expect(winner, path).toBe(last.get(path));
  }
}

async function runWith(node: Node, crash: Crash | undefined) {
  recorder().reset();
  const world = new World();
  const engine = new TestEngine("inline", recorder(), () => open(recorder(), world.workflow(node)));
  world.engine = engine;
  if (crash) engine.crash = crash;
  const end = await engine.run();
  return { world, engine, end };
}

const SEEDS = Array.from({ length: WORKFLOWS }, (_, at) => SEED + at);

describe(`random workflows (SEED=${SEED})`, () => {
  it.each(sampled(SEEDS, 3))(
    "end the same way wherever an invocation dies: SEED=%d",
    async (seed) => {
      const node = makeNode(new Random(seed), 3);
      const whole = await runWith(node, undefined);
      expect(whole.end, JSON.stringify(whole.end.answer)).toMatchObject({ state: "succeeded" });
      whole.world.expectSameWinners();
      const crashes: Crash[] = [
        ...whole.engine.appends.flatMap((_, at) => [
          { append: at + 1, stored: true },
          { append: at + 1, stored: false },
        ]),
        ...Array.from({ length: whole.end.deliveries }, (_, at) => ({ answer: at + 1 })),
      ];
      for (const crash of crashes) {
        const { world, engine, end } = await runWith(node, crash);
        const why = `${JSON.stringify(crash)} ${JSON.stringify(end.answer)} ${JSON.stringify(engine.records)}`;
        expect(end, why).toMatchObject({ state: "succeeded" });
        world.expectSameWinners();
        const keys = engine.records.map(({ stepId, targetStep }) => `${stepId}/${targetStep}`);
        expect(new Set(keys).size, why).toBe(keys.length);
      }
    },
    60_000,
  );
});
