import type { LookupFunction } from "node:net";
import { HEADER } from "@perdure/core/protocol";
import { afterEach, describe, expect, it } from "vitest";
import { type World, type WorldOptions, world } from "../harness.ts";
import { until, useKit } from "./wire/kit.ts";

type Answer = Parameters<LookupFunction>[2];

/** A resolver that answers when it is told to. */
class Names {
  readonly #waiting = new Map<string, Answer[]>();
  #asked = 0;

  readonly lookup: LookupFunction = (host, _options, done) => {
    this.#asked++;
    if (host === "well.test") setImmediate(() => done(null, [{ address: "127.0.0.1", family: 4 }]));
    else this.#waiting.set(host, [...(this.#waiting.get(host) ?? []), done]);
  };

  /** Names that are being looked up. */
  get waiting(): readonly string[] {
    return [...this.#waiting.keys()];
  }

  get asked(): number {
    return this.#asked;
  }

  answer(error: Error | null = null): void {
    const all = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    for (const done of all) done(error, error ? "" : [{ address: "127.0.0.1", family: 4 }]);
  }
}

const kit = useKit();
const worlds: World[] = [];
afterEach(async () => {
  for (const w of worlds.splice(0)) await w.engine.stop({ deadline: 0 });
});

function wired(names: Names, options: WorldOptions): World {
  const w = world(undefined, { transport: kit.pool({ lookup: names.lookup }), ...options });
  worlds.push(w);
  return w;
}

async function publish(w: World, urls: readonly string[], more: Record<string, string> = {}): Promise<void> {
  const items = urls.map((destination) => ({ destination, headers: { [HEADER.retries]: "0", ...more } }));
  expect(await w.ask("POST", "/v2/batch", { body: JSON.stringify(items) })).toMatchObject({ status: 200 });
}

const underWay = async (w: World): Promise<number> =>
  (await w.ask("GET", "/v2/globalParallelism")).body.parallelismCount;

const named = (count: number, port: string): string[] =>
  Array.from({ length: count }, (_, at) => `http://dead${at}.test:${port}/`);

describe("a name that is being looked up", () => {
  it.each([
    ["deliveries", { concurrency: 8 }],
    ["all that may be under way", { concurrency: 8, limits: { parallelism: 4 } }],
  ])(
    "takes no place among %s: a healthy message goes on, without time having to pass",
    async (_, options) => {
      const well = await kit.serve();
      const { port } = new URL(well.url);
      const names = new Names();
      const w = wired(names, options);
      await publish(w, named(8, port));
      await until(() => names.waiting.length === 8);
      await publish(
        w,
        [1, 2, 3].map((at) => `http://well.test:${port}/${at}`),
      );
      await until(() => well.asked.length === 3);
      expect(names.waiting).toHaveLength(8);
      await expect.poll(() => underWay(w)).toBe(0);
    },
  );

  it("takes none of the calls' places either", async () => {
    const well = await kit.serve();
    const { port } = new URL(well.url);
    const names = new Names();
    const w = wired(names, { concurrency: 2, calls: 1 });
    await publish(w, named(2, port));
    await until(() => names.waiting.length === 2);
    await publish(w, [`http://well.test:${port}/`]);
    await until(() => well.asked.length === 1);
  });

  it("waits for a place once its address is known: no more than may be are ever under way", async () => {
    const hanging = await kit.serve(() => undefined);
    const { port } = new URL(hanging.url);
    const names = new Names();
    const w = wired(names, { concurrency: 4 });
    await publish(w, named(4, port));
    await until(() => names.waiting.length === 4);
    const urls = [`http://well.test:${port}/1`, `http://well.test:${port}/2`];
    await publish(w, urls, { [HEADER.timeout]: "10s" });
    await until(() => hanging.asked.length === 2);
    names.answer();
    await until(() => hanging.asked.length === 4);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(hanging.asked).toHaveLength(4);
    await expect.poll(() => underWay(w)).toBe(4);
    // The time of two is up, and the other two connect.
    w.clock.advance(10_000);
    await until(() => hanging.asked.length === 6);
  });

  it("is one of a bounded number: more keep their place", async () => {
    const names = new Names();
    const w = wired(names, { concurrency: 8 });
    await publish(w, named(100, "9"));
    await until(() => names.waiting.length === 16);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(names.asked).toBe(16);
    names.answer(new Error("no such name"));
    await until(() => names.asked > 16);
  });

  it("gives way when its attempt ends, whatever the name server does", async () => {
    const names = new Names();
    const w = wired(names, { concurrency: 2 });
    await publish(w, named(6, "9"));
    await until(() => names.waiting.length === 4);
    w.clock.advance(300_000);
    await until(() => names.asked === 6);
    names.answer();
    await w.engine.stop({ deadline: 0 });
    expect(w.events.filter(({ type }) => type === "failed").length).toBeGreaterThanOrEqual(4);
  });
});
