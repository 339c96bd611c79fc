import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { toJsonBody } from "../../src/http/json-answer.ts";
import { failed, historyOf, isFailure, ok, world } from "../harness.ts";
import { done, type Invocation, inline, invocationOf } from "../inline/invocation.ts";

const value = [{ destination: "https://a.test/", body: "x".repeat(30_000_000) }];

/** Milliseconds for which this thread has worked: other processes of the machine don't count. */
function worked(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Milliseconds of the longest stretch of work in which nothing else had its turn. */
async function longestStretch(work: () => Promise<unknown>): Promise<number> {
  let [longest, last, over] = [0, worked(), false];
  const tick = (): void => {
    const now = worked();
    longest = Math.max(longest, now - last);
    last = now;
    if (!over) setImmediate(tick);
  };
  const ticking = new Promise<void>((resolve) => setImmediate(() => resolve(tick())));
  await ticking;
  last = worked();
  await work();
  longest = Math.max(longest, worked() - last);
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

describe("30 MB of JSON", () => {
  it("are written in stretches of half the time, at most, that the platform needs for them", async () => {
    const floor = await bestOf(() => longestStretch(async () => JSON.stringify(value)));
    const stretch = await bestOf(() => longestStretch(() => readAll(toJsonBody(value))));
    expect(stretch).toBeLessThan(floor / 2);
  });
});

const STEPS = 4000;

/** Appends the results of all steps. */
async function appendAll(run: Invocation): Promise<void> {
  for (let first = 1; first < STEPS; first += 500)
    await run.append(Array.from({ length: 500 }, (_, at) => done(first + at)));
}

describe("a run of 4000 steps", () => {
  it("is resumed in stretches of a part of the time that this takes", async () => {
    const w = world(async (call, self) => {
      if (isFailure(call)) return ok("{}");
      const isFirst = call.text !== "" && historyOf(call).length === 1;
      if (isFirst) await appendAll(invocationOf(call, self));
      return failed(489, "no", { [HEADER.nonRetryable]: "true" });
    });
    await w.start("wfr_1");
    await w.drain();
    const share = await bestOf(async () => {
      const [{ dlqId }] = await w.deadLetters();
      const began = worked();
      const stretch = await longestStretch(async () => {
        const { status } = await w.ask("POST", `/v2/workflows/dlq/resume/${dlqId}`);
        expect(status).toBe(200);
      });
      const whole = worked() - began;
      await w.drain();
      return stretch / whole;
    });
    expect(share).toBeLessThan(0.5);
  });

  it("is shown in stretches of a part of the time that the answer takes", async () => {
    const w = world(
      inline(async (run) => {
        await appendAll(run);
        return run.returned("fine");
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    for (const query of ["", "&trimBody=10"]) {
      const share = await bestOf(async () => {
        let whole = 0;
        const stretch = await longestStretch(async () => {
          const began = worked();
          const { status, body } = await w.ask("GET", `/v2/workflows/logs?workflowRunId=wfr_1${query}`);
          whole = worked() - began;
          expect(status).toBe(200);
          expect(body.runs[0].steps.flatMap((group: { steps: unknown[] }) => group.steps).length).toBe(
            STEPS + 1,
          );
        });
        return stretch / whole;
      });
      expect(share).toBeLessThan(0.6);
    }
  });
});
