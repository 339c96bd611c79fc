import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { stateOf } from "../crashing.ts";
import { isFailure, ok, runIdOf, START, world } from "../harness.ts";
import { CAPABILITIES, done, inline, key, sleeps, waits } from "./invocation.ts";

const SECOND = 1000;
const RETRY = { [HEADER.retries]: "2", [HEADER.retryDelay]: "1000" };
const times = (calls: readonly { at: number }[]): number[] => calls.map(({ at }) => at - START);

describe("a connection that breaks", () => {
  const breaks = (): never => {
    throw new TypeError("the connection breaks");
  };

  it("counts against the only step that was under way", async () => {
    const w = world(
      inline(async (run) => {
        if (run.nth <= 2) {
          await run.append(run.nth === 1 ? [done(1)] : [], [key("heavy")]);
          return breaks();
        }
        return run.returned(run.attempts.map(({ step, attempt }) => `${step.name} ${attempt}`));
      }),
    );
    await w.start("wfr_1", RETRY);
    await w.drain();
    expect((await w.run("wfr_1")).workflowRunResponse).toBe('["heavy 1","heavy 2"]');
    expect(times(w.calls)).toEqual([0, SECOND, 2 * SECOND]);
  });

  it("fails the run when that step may not be retried more often", async () => {
    const w = world(
      inline(async (run) => {
        await run.append([], [key("heavy")]);
        return breaks();
      }),
    );
    await w.start("wfr_1", RETRY);
    await w.drain();
    expect(w.calls.filter((call) => !isFailure(call))).toHaveLength(3);
    expect(await stateOf(w)).toBe("RUN_FAILED");
  });

  it("counts against the delivery otherwise, whose count begins anew with progress", async () => {
    const w = world(
      inline(async (run) => {
        if (run.nth < 8) {
          const id = Math.ceil(run.nth / 2);
          if (run.nth % 2 === 0) await run.append([done(id)], [key("a"), key("b")]);
          else await run.append([], [key("a"), key("b")]);
          return breaks();
        }
        return run.returned(run.attempts);
      }),
    );
    await w.start("wfr_1", RETRY);
    await w.drain();
    expect((await w.run("wfr_1")).workflowRunResponse).toBe("[]");
    expect(w.calls.map(({ headers }) => headers.get(HEADER.retried))).toEqual([
      "0",
      "1",
      "1",
      "2",
      "1",
      "2",
      "1",
      "2",
    ]);
  });

  it("isn't answered for by an event that comes meanwhile: the next attempt keeps its time", async () => {
    const w = world(
      inline(async (run) => {
        if (run.nth > 1) return run.returned([...run.results.keys()]);
        await run.append([waits(run.runId, 1, "go")]);
        return breaks();
      }),
    );
    await w.start("wfr_1", RETRY);
    await w.engine.idle();
    await w.ask("POST", "/v2/notify/go");
    await w.drain();
    expect(times(w.calls)).toEqual([0, SECOND]);
    expect((await w.run("wfr_1")).workflowRunResponse).toBe('["step1"]');
  });

  it("tells the failure function which steps were under way", async () => {
    const reports: unknown[] = [];
    const w = world(
      inline(
        async (run) => {
          await run.append([done(1)], [key("a"), key("b", 2)]);
          return breaks();
        },
        (call) => {
          reports.push(JSON.parse(call.text).perdure);
          return ok("{}");
        },
      ),
    );
    await w.start("wfr_1", { [HEADER.retries]: "0" });
    await w.drain();
    expect(reports).toMatchObject([{ begun: true, underWay: [key("a"), key("b", 2)] }]);
  });

  it("may have begun a step, though a later invocation fails before it comes that far", async () => {
    const reports: unknown[] = [];
    const w = world(
      inline(
        async (run) => {
          if (run.nth === 1) {
            await run.append([], [key("charge")]);
            return breaks();
          }
          return run.failed(key("other"), { status: 489 });
        },
        (call) => {
          reports.push(JSON.parse(call.text).perdure);
          return ok("{}");
        },
      ),
    );
    await w.start("wfr_1", RETRY);
    await w.drain();
    expect(reports).toMatchObject([{ begun: true, underWay: [key("charge")] }]);
  });

  it.each(["continue", "parked"] as const)(
    "may have begun a step, though a later invocation answers with %s before it comes that far",
    async (end) => {
      const reports: unknown[] = [];
      const w = world(
        inline(
          async (run) => {
            if (run.nth === 1) {
              await run.append([], [key("step1"), key("charge")]);
              return breaks();
            }
            // It couldn't append, and so began one step only.
            if (run.nth === 2) return run.end({ end, records: [done(1), sleeps(2, START + 5000)] });
            return run.failed(key("other"), { status: 489 });
          },
          (call) => {
            reports.push(JSON.parse(call.text).perdure);
            return ok("{}");
          },
        ),
      );
      await w.start("wfr_1", RETRY);
      await w.drain();
      expect(reports).toMatchObject([{ begun: true, underWay: [key("step1"), key("charge")] }]);
    },
  );

  it("without a word may have begun a step, though an earlier invocation has said that none was under way", async () => {
    const reports: unknown[] = [];
    const w = world(
      inline(
        async (run) => {
          if (run.nth === 1) await run.append([done(1)]);
          return breaks();
        },
        (call) => {
          reports.push(JSON.parse(call.text).perdure);
          return ok("{}");
        },
      ),
    );
    await w.start("wfr_1", { [HEADER.retries]: "1" });
    await w.drain();
    expect(reports).toMatchObject([{ begun: true }]);
  });

  it("without a word from the invocation says that a step may have begun; an answer says that none has", async () => {
    const reports: { begun: boolean }[] = [];
    const report = inline(
      (run) => {
        if (run.nth === 1) return run.end({ end: "continue", records: [done(1)] });
        return run.runId === "wfr_lost" ? breaks() : run.failed(key("step2"), { status: 489 });
      },
      (call) => {
        reports.push({ ...JSON.parse(call.text).perdure, runId: runIdOf(call) });
        return ok("{}");
      },
    );
    const w = world(report);
    await w.start("wfr_lost", { [HEADER.retries]: "0" });
    await w.start("wfr_told", { [HEADER.retries]: "0" });
    await w.drain();
    expect(reports).toContainEqual(expect.objectContaining({ runId: "wfr_lost", begun: true }));
    expect(reports).toContainEqual(expect.objectContaining({ runId: "wfr_told", begun: false }));
  });
});

it("an answer that was cut short counts as none", async () => {
  const w = world(
    inline((run) => {
      if (run.nth > 1) return run.returned("whole");
      return new Response('{"perdure":{"after":1,"records":[', {
        headers: {
          "content-type": "application/json",
          [HEADER.sdkVersion]: "1",
          [HEADER.lease]: run.lease,
          ...CAPABILITIES,
        },
      });
    }),
  );
  await w.start("wfr_1", RETRY);
  await w.drain();
  expect((await w.run("wfr_1")).workflowRunResponse).toBe('"whole"');
});
