import { type DeliveryClaim, type FailureDetails, HEADER, TOKEN_CLAIM } from "@perdure/core/protocol";
import { ON_POSTGRES } from "@perdure/test-support/mode";
import { decodeJwt } from "jose";
import { describe, expect, it } from "vitest";
import { boundHeaders } from "../../../core/src/protocol/token.ts";
import { crash, never, stateOf, useMachine } from "../crashing.ts";
import {
  type Call,
  historyOf,
  ok,
  result,
  runIdOf,
  START,
  sequence,
  until,
  type World,
  world,
} from "../harness.ts";
import { appendTo, done, inline, invocationOf, key, newsOf, ONLY, waits } from "./invocation.ts";

const leaseOf = (call: Call | undefined): string | null => call?.headers.get(HEADER.lease) ?? null;

/** A delivery that is under way until the test lets it answer. */
function held(): { readonly answer: (response: Response) => void; endpoint: () => Promise<Response> } {
  const answers: ((response: Response) => void)[] = [];
  return {
    answer: (response) => answers.shift()?.(response),
    endpoint: () => new Promise((resolve) => answers.push(resolve)),
  };
}

describe("the offer", () => {
  it("comes with the first delivery, and its token binds it", async () => {
    const w = world(inline((run) => run.returned(1)));
    await w.start("wfr_1");
    await w.drain();
    const [call] = w.calls;
    expect(leaseOf(call)).toMatch(/^\S+$/);
    const headers = new Headers(call?.headers);
    const claim = decodeJwt(headers.get(HEADER.signature) ?? "")[TOKEN_CLAIM] as DeliveryClaim;
    const hash = async (): Promise<string> =>
      Buffer.from(
        await crypto.subtle.digest("SHA-256", new TextEncoder().encode(boundHeaders(headers))),
      ).toString("base64url");
    expect(await hash()).toBe(claim.headers);
    headers.set(HEADER.lease, "2.1.wfr_1");
    expect(await hash()).not.toBe(claim.headers);
  });

  it("isn't made for a run with a flow-control key, which limits steps by limiting deliveries", async () => {
    const w = world(sequence(2));
    const flow = { "Upstash-Flow-Control-Key": "bank", "Upstash-Flow-Control-Value": "parallelism=1" };
    await w.start("wfr_1", flow);
    await w.drain();
    expect(await stateOf(w)).toBe("RUN_SUCCESS");
    expect(w.calls.map(leaseOf)).toEqual([null, null, null]);
  });

  it("isn't made to an endpoint that isn't one of Perdure's, whose deliveries end with their own entry", async () => {
    const w = world(sequence(3));
    await w.start("wfr_1");
    await w.drain();
    expect(w.calls.map((call) => leaseOf(call) !== null)).toEqual([true, false, false, false]);
    expect(w.calls.map((call) => historyOf(call).length)).toEqual([1, 2, 3, 4]);
    expect(await stateOf(w)).toBe("RUN_SUCCESS");
  });

  it("can't be forged by whoever starts a run", async () => {
    const w = world(sequence(1));
    const names = [HEADER.lease, HEADER.engineTime, HEADER.originalRun];
    await w.start("wfr_1", Object.fromEntries(names.map((name) => [`Upstash-Forward-${name}`, "7"])));
    await w.drain();
    expect(w.calls[0]?.headers.get(HEADER.engineTime)).toBe(String(START));
    for (const { headers } of w.calls) for (const name of names) expect(headers.get(name)).not.toBe("7");
    expect(leaseOf(w.calls[1])).toBeNull();
  });

  it("leaves the deliveries of a group to an endpoint that doesn't take it", async () => {
    const plan = (id: number) => ({
      ...result(0, { stepName: `step${id}`, concurrent: 2, targetStep: id }),
      out: undefined,
    });
    const w = world(async (call, self) => {
      const length = historyOf(call).length;
      const last = JSON.parse(Buffer.from(historyOf(call).at(-1)?.body ?? "", "base64").toString());
      if (length === 1) await self.append("wfr_1", [plan(1), plan(2)]);
      else if (last.stepId === 0) await self.append("wfr_1", [result(last.targetStep, { concurrent: 2 })]);
      else if (length === 5) await self.end("wfr_1", "1");
      return new Response("", { headers: { [HEADER.sdkVersion]: "1", [HEADER.capabilities]: "1" } });
    });
    await w.start("wfr_1");
    await w.drain();
    expect(w.calls.map((call) => historyOf(call).length).sort()).toEqual([1, 2, 3, 4, 5]);
    expect(await stateOf(w)).toBe("RUN_SUCCESS");
  });
});

describe("a stale holder", () => {
  it("is refused, always: its delivery has been repeated under a higher lease", async () => {
    const leases: string[] = [];
    const w = world(
      inline(async (run) => {
        leases.push(run.lease);
        if (run.nth === 1) {
          await run.append([done(1)], [key("step2")]);
          throw new TypeError("the connection breaks");
        }
        const stale = {
          lease: leases[0] ?? "",
          after: 2,
          records: [done(2, { out: '"stale"' })],
          underWay: [],
        };
        expect(await appendTo(run.self, stale)).toEqual({ error: "lease_lost" });
        return run.returned(run.results.size);
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    expect(new Set(leases).size).toBe(2);
    expect((await w.run("wfr_1")).workflowRunResponse).toBe("1");
  });

  it("can't append once it has answered, nor once its run is over", async () => {
    const leases: string[] = [];
    const w = world(
      inline((run) => {
        leases.push(run.lease);
        return run.nth === 1 ? run.end({ end: "continue", records: [done(1)] }) : run.returned(1);
      }),
    );
    await w.start("wfr_1");
    await w.engine.idle();
    const [first = "", second = ""] = leases;
    const records = { after: 2, records: [done(2)], underWay: [] };
    expect(await appendTo(w, { lease: first, ...records })).toEqual({
      error: "run_over",
      state: "RUN_SUCCESS",
    });
    expect(await appendTo(w, { lease: second, ...records })).toEqual({
      error: "run_over",
      state: "RUN_SUCCESS",
    });
    expect(await appendTo(w, { lease: first.replace("wfr_1", "wfr_2"), ...records })).toEqual({
      error: "lease_lost",
    });
  });

  it("has no say between its answer and the next delivery", async () => {
    let lease = "";
    const w = world(
      inline((run) => {
        lease = run.lease;
        return run.failed(key("step1"));
      }),
    );
    await w.start("wfr_1");
    await w.engine.idle();
    expect(await appendTo(w, { lease, after: 1, records: [done(1)], underWay: [] })).toEqual({
      error: "lease_lost",
    });
    await w.engine.stop();
  });

  it("answers 409, which the engine ignores", async () => {
    const { endpoint, answer } = held();
    const leases: string[] = [];
    const w = world(
      inline((run) => {
        leases.push(run.lease);
        return run.nth === 1 ? endpoint() : run.returned(2);
      }),
      { timeouts: { delivery: 1000 } },
    );
    await w.start("wfr_1");
    await until(() => leases.length === 1);
    // No answer in time.
    w.clock.advanceToNext();
    await w.drain();
    expect(await stateOf(w)).toBe("RUN_SUCCESS");
    answer(
      new Response("{}", {
        status: 409,
        headers: { [HEADER.sdkVersion]: "1", [HEADER.lease]: leases[0] ?? "" },
      }),
    );
    await w.drain();
    expect(leases).toHaveLength(2);
    expect(await w.deadLetters()).toEqual([]);
  });

  it("of a run that was cancelled learns of it by its next append", async () => {
    const seen: unknown[] = [];
    const w = world(
      inline(async (run) => {
        await run.append([done(1)], [key("step2")]);
        await run.self.ask("DELETE", "/v2/workflows/runs/wfr_1");
        seen.push(await appendTo(run.self, { lease: run.lease, after: 2, records: [done(2)], underWay: [] }));
        return new Response("{}", {
          status: 409,
          headers: { [HEADER.sdkVersion]: "1", [HEADER.lease]: run.lease },
        });
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    expect(seen).toEqual([{ error: "run_over", state: "RUN_CANCELED" }]);
    expect(w.calls).toHaveLength(1);
    expect(await stateOf(w)).toBe("RUN_CANCELED");
  });
});

describe("an append", () => {
  it("that is repeated gives the same answer and changes nothing", async () => {
    const answers: unknown[] = [];
    const w = world(
      inline(async (run) => {
        const append = { lease: run.lease, after: 1, records: [done(1), done(2)], underWay: [] };
        for (let time = 0; time < 3; time++) answers.push(await appendTo(run.self, append));
        return run.end({ end: "returned", after: 3 });
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    expect(answers).toEqual(Array(3).fill({ news: [{ own: 0 }, { own: 1 }] }));
    expect((await w.run("wfr_1")).steps).toHaveLength(3);
    expect(w.events.filter(({ type }) => type === "step.recorded")).toHaveLength(2);
  });

  it("whose acknowledgement was lost may come again with the answer", async () => {
    const w = world(
      inline(async (run) => {
        await appendTo(run.self, { lease: run.lease, after: 1, records: [done(1)], underWay: [] });
        return run.end({ end: "returned", after: 1, records: [done(1), done(2)], result: "2" });
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    expect((await w.run("wfr_1")).steps).toHaveLength(3);
    expect(await stateOf(w)).toBe("RUN_SUCCESS");
  });

  it("has no place for two records in one: another writer's stays, and none of these is stored", async () => {
    const w = world(
      inline(async (run) => {
        if (run.nth > 1) return run.returned([...run.results.keys()]);
        await run.self.append("wfr_1", [result(1, { stepName: "of one step" })]);
        const append = { lease: run.lease, after: 1, records: [done(1), done(2)], underWay: [] };
        expect(newsOf(await appendTo(run.self, append))).toMatchObject([{ entry: { callType: "step" } }]);
        return run.end({ end: "returned", after: 1, records: [done(1), done(2)], result: '"r2"' });
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    expect((await w.run("wfr_1")).workflowRunResponse).toBe('["of one step"]');
  });

  it("is all or nothing, and what is wrong with one is refused for that one", async () => {
    const answers: unknown[] = [];
    const w = world(
      inline(async (run) => {
        const append = { lease: run.lease, invocation: ONLY, underWay: [] };
        const { body } = await run.self.ask("POST", "/v2/workflows/append", {
          body: JSON.stringify({
            appends: [
              { ...append, after: 1, records: [done(1), { kind: "result", record: {} }] },
              { ...append, after: 1, records: [done(1, { out: "x".repeat(2000) })] },
              { ...append, after: 7, records: [done(1)] },
              { ...append, after: 1, records: [done(2)], invocation: "" },
              { ...append, after: 1, records: [done(2)] },
            ],
          }),
        });
        answers.push(...body.appends);
        return run.returned(1);
      }),
      { limits: { messageBytes: 1000 } },
    );
    await w.start("wfr_1");
    await w.drain();
    expect(answers).toEqual([
      { error: "refused", message: expect.stringContaining("records[1].record.stepId") },
      { error: "refused", message: expect.stringContaining("limits.messageBytes") },
      { error: "refused", message: expect.stringContaining("after") },
      { error: "refused", message: expect.stringContaining("invocation") },
      { news: [{ own: 0 }] },
    ]);
  });

  it("of more records than a batch may have is refused", async () => {
    const w = world(
      inline(async (run) => {
        const records = [done(1), done(2), done(3)];
        expect(await appendTo(run.self, { lease: run.lease, after: 1, records, underWay: [] })).toMatchObject(
          {
            error: "refused",
            message: expect.stringContaining("2"),
          },
        );
        return run.returned(1);
      }),
      { limits: { batchItems: 2 } },
    );
    await w.start("wfr_1");
    await w.drain();
    expect(await stateOf(w)).toBe("RUN_SUCCESS");
  });

  it("needs a token with which everything is allowed", async () => {
    const w = world(undefined, { readOnlyTokens: ["looks only"] });
    const ask = { body: JSON.stringify({ appends: [] }) };
    expect((await w.ask("POST", "/v2/workflows/append", { ...ask, token: "looks only" })).status).toBe(403);
    expect((await w.ask("POST", "/v2/workflows/append", { ...ask, token: null })).status).toBe(401);
    expect((await w.ask("POST", "/v2/workflows/append", ask)).body).toEqual({ appends: [] });
  });

  it("of any number of runs shares one transaction", async () => {
    const w = world(() => never());
    const count = 20;
    for (let at = 0; at < count; at++) await w.start(`wfr_${at}`);
    await until(() => w.calls.length === count);
    const appends = w.calls
      .map((call) => invocationOf(call, w))
      .map(({ lease }) => ({
        lease,
        invocation: ONLY,
        after: 1,
        records: [done(1)],
        underWay: [],
      }));
    const before = w.store.commits;
    const { body } = await w.ask("POST", "/v2/workflows/append", { body: JSON.stringify({ appends }) });
    expect(body.appends).toEqual(Array(count).fill({ news: [{ own: 0 }] }));
    // On PostgreSQL, the claim that follows the last delivery may still be under way, and commits, too.
    expect(w.store.commits - before).toBeLessThanOrEqual(ON_POSTGRES ? 3 : 1);
    await w.engine.stop({ deadline: 0 });
  });
});

it("a run is ended apart only under the lease that holds it", async () => {
  const leases: string[] = [];
  const w = world(
    inline(async ({ nth, lease, self, failed }) => {
      leases.push(lease);
      if (nth === 1) return failed(key("step1"));
      const end = (of: string | undefined) =>
        self.ask("DELETE", "/v2/workflows/runs/wfr_1?cancel=false", {
          body: '"large"',
          headers: { [HEADER.lease]: of ?? "" },
        });
      const answers = [await end("none"), await end(leases[0]), await end(leases[1])];
      expect(answers.map(({ status }) => status)).toEqual([400, 404, 200]);
      return ok("{}");
    }),
  );
  await w.start("wfr_1");
  await w.drain();
  expect((await w.run("wfr_1")).workflowRunResponse).toBe('"large"');
});

describe("a delivery that arrives twice", () => {
  const other = { invocation: "the other one", underWay: [] };

  it("belongs to the invocation that appends first: the other one can't append", async () => {
    const w = world(
      inline(async (run) => {
        await run.append([], [key("step1"), key("step2")]);
        const records = [done(1, { stepName: "step2" })];
        const append = { ...other, lease: run.lease, after: 1, records };
        expect(await appendTo(run.self, append)).toEqual({ error: "lease_lost" });
        await run.append([done(1)], [key("step2")]);
        return run.returned("of the first", done(2));
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    const { steps, ...run } = await w.run("wfr_1");
    expect(run).toMatchObject({
      workflowState: "RUN_SUCCESS",
      workflowRunResponse: JSON.stringify("of the first"),
    });
    expect(steps).toHaveLength(3);
    expect(w.calls).toHaveLength(1);
  });

  it.each(["returned", "parked", "continue"] as const)(
    "and whose other invocation answers with %s: nothing of its answer counts",
    async (end) => {
      const w = world(
        inline(async (run) => {
          if (run.nth > 1) return run.returned([...run.results.keys()]);
          await run.append([done(1)]);
          const records = [done(2, { stepName: "of the other" })];
          return run.end({ ...other, end, after: 1, result: '"wrong"', records });
        }),
      );
      await w.start("wfr_1");
      await w.drain();
      expect((await w.run("wfr_1")).workflowRunResponse).toBe('["step1"]');
      expect(w.calls.map(({ at }) => at - START)).toEqual([0, 1000]);
    },
  );

  it("and whose other invocation fails for good: the run goes on, and keeps what is under way", async () => {
    const details: FailureDetails[] = [];
    const w = world(
      inline(
        async (run) => {
          if (run.nth > 1) return run.failed(key("step9"), { status: 489 });
          await run.append([], [key("charge")]);
          const { headers } = run.failed(key("step1"), { status: 489 });
          const perdure = { ...other, after: 1, records: [], failed: key("step1") };
          return Response.json({ error: "Error", message: "no", perdure }, { status: 489, headers });
        },
        (call) => {
          details.push(JSON.parse(call.text).perdure);
          return ok("{}");
        },
      ),
    );
    await w.start("wfr_1");
    await w.drain();
    expect(w.calls).toHaveLength(3);
    expect(details).toMatchObject([{ underWay: [key("charge")] }]);
  });
});

describe("an engine that dies", () => {
  const machine = useMachine();

  it("between the commit and the answer of an append has lost nothing, and the old holder has lost the run", async () => {
    const { boot } = machine();
    const first = boot(() => never());
    await first.start("wfr_1");
    await until(() => first.calls.length === 1);
    const [call] = first.calls;
    const lease = leaseOf(call) ?? "";
    const append = { lease, after: 1, records: [done(1)], underWay: [key("step2")] };
    await appendTo(first, append);
    await crash(first);
    // The run goes on once the old invocation has its answer: else it may have ended by then.
    let goOn = (): void => {};
    const refused = new Promise<void>((resolve) => (goOn = resolve));
    const second = boot(
      inline(async (run) => {
        expect([...run.results.keys()]).toEqual(["step1"]);
        // The old process is still at work, and repeats what it hasn't heard an answer to.
        expect(await appendTo(run.self, append)).toEqual({ error: "lease_lost" });
        await refused;
        return run.returned("once", done(2));
      }),
    );
    expect(await appendTo(second, append)).toEqual({ error: "lease_lost" });
    goOn();
    await second.drain();
    expect((await second.run("wfr_1")).steps).toHaveLength(3);
    expect(await stateOf(second)).toBe("RUN_SUCCESS");
    await second.engine.stop();
    await second.store.close();
  });

  it("takes an answer from nobody who was asked before", async () => {
    const { boot } = machine();
    const { endpoint, answer } = held();
    const first = boot(() => endpoint());
    await first.start("wfr_1");
    await until(() => first.calls.length === 1);
    const call = first.calls[0] as Call;
    await crash(first);
    const second = boot(inline((run) => run.returned("second")));
    await second.drain();
    answer(invocationOf(call, second).returned("first"));
    await second.drain();
    expect((await second.run("wfr_1")).workflowRunResponse).toBe('"second"');
    await second.engine.stop();
    await second.store.close();
  });
});

it("an answer that doesn't take the lease makes a run that was inline one of one step a delivery", async () => {
  const w: World = world((call, self) => {
    if (historyOf(call).length > 1) return sequence(2)(call, self);
    const run = invocationOf(call, self);
    return run.end({ end: "continue", records: [done(1)] });
  });
  await w.start("wfr_1");
  await w.drain();
  expect(w.calls.map((call) => historyOf(call).length)).toEqual([1, 2, 3]);
  expect(await stateOf(w)).toBe("RUN_SUCCESS");
});

it("what the engine recorded during an invocation that fell back is delivered", async () => {
  let told = false;
  const w = world(async (call, self) => {
    const run = invocationOf(call, self);
    if (historyOf(call).length === 1) {
      const news = newsOf(
        await appendTo(self, {
          lease: run.lease,
          after: 1,
          records: [waits("wfr_1", 1, "stop")],
          underWay: [],
        }),
      );
      expect(news).toEqual([{ own: 0 }]);
      await self.ask("POST", "/v2/notify/stop", { body: "now" });
      return ok();
    }
    told = true;
    await self.end(runIdOf(call), "1");
    return ok();
  });
  await w.start("wfr_1");
  await w.drain(START + 1000);
  expect(told).toBe(true);
  expect(await stateOf(w)).toBe("RUN_SUCCESS");
});
