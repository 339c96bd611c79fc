import { describe, expect, it } from "vitest";
import { toJsonBody } from "../../src/http/json-answer.ts";
import { world } from "../harness.ts";
import { done, inline } from "../inline/invocation.ts";

const value = [{ destination: "https://a.test/", body: "x".repeat(10_000_000) }];

/** Milliseconds of the longest stretch in which nothing else had its turn. */
async function longestStretch(work: () => Promise<unknown>): Promise<number> {
  let [longest, last, over] = [0, performance.now(), false];
  const tick = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (!over) setImmediate(tick);
  };
  const ticking = new Promise<void>((resolve) => setImmediate(() => resolve(tick())));
  await ticking;
  last = performance.now();
  await work();
  longest = Math.max(longest, performance.now() - last);
  over = true;
  return longest;
}

async function readAll(body: string | ReadableStream<Uint8Array>): Promise<void> {
  if (typeof body === "string") throw new TypeError("It was written in one go.");
  for await (const _ of body);
}

/** Other processes of the machine may hold up one attempt, but not each. */
async function bestOf(measure: () => Promise<number>): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 5; attempt++) best = Math.min(best, await measure());
  return best;
}

describe("10 MB of JSON", () => {
  it("are written in stretches of half the time, at most, that the platform needs for them", async () => {
    const floor = await bestOf(() => longestStretch(async () => JSON.stringify(value)));
    const stretch = await bestOf(() => longestStretch(() => readAll(toJsonBody(value))));
    expect(stretch).toBeLessThan(floor / 2);
  });
});

describe("a run of 4000 steps", () => {
  it("is shown in stretches of a part of the time that the answer takes", async () => {
    const w = world(
      inline(async (run) => {
        for (let first = 1; first < 4000; first += 500)
          await run.append(Array.from({ length: 500 }, (_, at) => done(first + at)));
        return run.returned("fine");
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    for (const query of ["", "&trimBody=10"]) {
      const share = await bestOf(async () => {
        let whole = 0;
        const stretch = await longestStretch(async () => {
          const began = performance.now();
          const { status, body } = await w.ask("GET", `/v2/workflows/logs?workflowRunId=wfr_1${query}`);
          whole = performance.now() - began;
          expect(status).toBe(200);
          expect(body.runs[0].steps.flatMap((group: { steps: unknown[] }) => group.steps).length).toBe(4001);
        });
        return stretch / whole;
      });
      expect(share).toBeLessThan(0.6);
    }
  });
});
