import { type InlineNews, newMessageId, type StepRecord } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { stateOf } from "../crashing.ts";
import { APP, decode, failed, START, until, type World, world } from "../harness.ts";
import { app, CHILD, THIRD } from "../steps.ts";
import { callMessage, invokeMessage } from "./asks.ts";
import { asksFor, done, inline, key, sleeps, waits } from "./invocation.ts";

const HOUR = 3_600_000;

const notify = (w: World, event: string, data = "now"): Promise<unknown> =>
  w.ask("POST", `/v2/notify/${event}`, { body: data });

/** The records that somebody else has added. */
const added = (news: readonly InlineNews[]): StepRecord[] =>
  news.flatMap((one) => ("entry" in one ? [JSON.parse(decode(one.entry.body))] : []));

describe("a wake of a run that has a holder", () => {
  it("never dispatches: an event reaches the invocation by the news of its next append", async () => {
    const seen: unknown[] = [];
    const w = world(
      inline(async (run) => {
        await run.append([waits(run.runId, 1, "stop")], [key("work")]);
        await notify(run.self, "stop");
        expect(run.self.calls).toHaveLength(1);
        seen.push(added(await run.append([done(2)])));
        return run.returned("stopped");
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    expect(seen).toEqual([[expect.objectContaining({ stepId: 1, waitEventId: "stop", out: btoa("now") })]]);
    expect(w.calls).toHaveLength(1);
    expect(await stateOf(w)).toBe("RUN_SUCCESS");
  });

  it("lists news in the order of the commits, the sender's own among them", async () => {
    const w = world(
      inline(async (run) => {
        await run.append([waits(run.runId, 1, "a"), waits(run.runId, 2, "b")]);
        await notify(run.self, "b");
        await notify(run.self, "a");
        const news = await run.append([done(3)]);
        expect(news.map((one) => ("own" in one ? "own" : JSON.parse(decode(one.entry.body)).stepId))).toEqual(
          [2, 1, "own"],
        );
        return run.returned(1);
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    expect(await stateOf(w)).toBe("RUN_SUCCESS");
  });

  it("is found by the park: an event between the last append and the park delivers the run at once", async () => {
    const w = world(
      inline(async (run) => {
        if (run.nth > 1) return run.returned([...run.results.keys()]);
        await run.append([waits(run.runId, 1, "stop")]);
        await notify(run.self, "stop");
        return run.park();
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    expect(w.calls.map(({ at }) => at)).toEqual([START, START]);
    expect((await w.run("wfr_1")).workflowRunResponse).toBe('["step1"]');
  });

  it("doesn't wait for the end of a long step", async () => {
    const w = world(
      inline(async (run) => {
        await run.append([waits(run.runId, 1, "stop")], [key("long")]);
        const answer = (await notify(run.self, "stop")) as { status: number; body: unknown[] };
        expect(answer).toMatchObject({ status: 201, body: [{ workflowRunId: "wfr_1" }] });
        return run.returned(1, done(2));
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    expect(await stateOf(w)).toBe("RUN_SUCCESS");
  });

  it("isn't told of the sender's own asks twice: an early event ends the wait at once", async () => {
    const w = world(
      inline(async (run) => {
        await run.self.ask("POST", "/v2/notify/wfr_1/early", { body: "before" });
        const news = await run.append([waits(run.runId, 1, "early")]);
        expect(news).toHaveLength(2);
        expect(news[0]).toEqual({ own: 0 });
        expect(added(news)).toMatchObject([{ stepId: 1, out: btoa("before") }]);
        return run.returned(1);
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    expect(w.calls).toHaveLength(1);
  });
});

describe("a parked run", () => {
  it("is woken by an event, once", async () => {
    const w = world(
      inline((run) =>
        run.nth === 1 ? run.park(waits(run.runId, 1, "go")) : run.returned([...run.results.keys()]),
      ),
    );
    await w.start("wfr_1");
    await w.engine.idle();
    expect(w.calls).toHaveLength(1);
    await notify(w, "go");
    await notify(w, "go");
    await w.drain();
    expect(w.calls).toHaveLength(2);
    expect(await stateOf(w)).toBe("RUN_SUCCESS");
  });

  it("has one delivery for wakes that come together", async () => {
    const w = world(
      inline((run) =>
        run.nth === 1
          ? run.park(waits(run.runId, 1, "a"), waits(run.runId, 2, "b"), waits(run.runId, 3, "c"))
          : run.returned([...run.results.keys()]),
      ),
    );
    await w.start("wfr_1");
    await w.engine.idle();
    // A claim between two of the events would be a delivery without the later ones.
    await w.engine.stop();
    await Promise.all(["a", "b", "c"].map((event) => notify(w, event)));
    w.engine.start();
    await w.drain();
    expect(w.calls).toHaveLength(2);
    expect(JSON.parse((await w.run("wfr_1")).workflowRunResponse).sort()).toEqual([
      "step1",
      "step2",
      "step3",
    ]);
  });

  it("is woken by the end of a wait's time, of a sleep, and at once by a sleep that is over", async () => {
    const w = world(
      inline((run) => {
        if (run.nth === 1) return run.park(waits(run.runId, 1, "never", "10s"), sleeps(2, START + 20_000));
        if (run.nth === 2) return run.park(sleeps(3, START));
        return run.results.size < 3 ? run.park() : run.returned([...run.results.keys()]);
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    expect(w.calls.map(({ at }) => at - START)).toEqual([0, 10_000, 10_000, 20_000]);
    expect((await w.run("wfr_1")).workflowRunResponse).toBe('["step1","step3","step2"]');
  });

  it("keeps its sleeps over a restart of the engine's dispatcher", async () => {
    const w = world(
      inline((run) =>
        run.nth === 1 ? run.park(sleeps(1, START + HOUR)) : run.returned(run.results.get("step1")),
      ),
    );
    await w.start("wfr_1");
    await w.engine.idle();
    await w.engine.stop();
    w.engine.start();
    await w.drain();
    expect(w.calls.map(({ at }) => at - START)).toEqual([0, HOUR]);
    expect(JSON.parse((await w.run("wfr_1")).workflowRunResponse)).toMatchObject({
      stepType: "SleepUntil",
      sleepUntil: (START + HOUR) / 1000,
    });
  });

  it("is delivered again at once when it continues", async () => {
    const w = world(
      inline((run) =>
        run.nth < 4 ? run.end({ end: "continue", records: [done(run.nth)] }) : run.returned(run.results.size),
      ),
    );
    await w.start("wfr_1");
    await w.drain();
    expect(w.calls.map(({ at }) => at)).toEqual(Array(4).fill(START));
    expect((await w.run("wfr_1")).workflowRunResponse).toBe("3");
  });

  it("without anything that could wake it has stalled, and fails", async () => {
    const w = world(inline((run) => run.park(done(1))));
    await w.start("wfr_1");
    await w.drain();
    expect(await stateOf(w)).toBe("RUN_FAILED");
    expect((await w.run("wfr_1")).workflowRunError.message).toContain("stalled");
    expect((await w.run("wfr_1")).steps[1].steps[0]).toMatchObject({
      stepName: "step1",
      state: "STEP_SUCCESS",
    });
  });
});

describe("what the engine does for a step", () => {
  it("records the answer to a call itself, as an endpoint would, and wakes the run", async () => {
    const w = world(
      app({
        [APP]: inline((run) =>
          run.nth === 1
            ? run.park(asksFor(1, "Call", callMessage("wfr_1", 1, { body: "asked" })))
            : run.returned(run.results.get("step1")),
        ),
        [THIRD]: ({ text }) => new Response(`ä ${text}`, { headers: { "x-a": "1" } }),
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    expect(w.calls.map(({ url }) => url)).toEqual([APP, THIRD, APP]);
    expect(w.calls[1]?.text).toBe("asked");
    const record = JSON.parse((await w.run("wfr_1")).workflowRunResponse);
    expect(record).toMatchObject({ stepId: 1, stepName: "step1", stepType: "Call", concurrent: 1 });
    const answer = JSON.parse(record.out);
    expect(answer).toMatchObject({ status: 200, header: { "X-A": ["1"] } });
    expect(Buffer.from(answer.body, "latin1").toString()).toBe("ä asked");
    const [, group] = (await w.run("wfr_1")).steps;
    expect(group.steps).toMatchObject([
      {
        stepName: "step1",
        callUrl: THIRD,
        callBody: "asked",
        callResponseStatus: 200,
        callResponseBody: "ä asked",
      },
    ]);
  });

  it("records a third party's failure as the answer", async () => {
    const w = world(
      app({
        [APP]: inline((run) =>
          run.nth === 1
            ? run.park(asksFor(1, "Call", callMessage("wfr_1", 1)))
            : run.returned(run.results.get("step1")),
        ),
        [THIRD]: () => failed(503, "down"),
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    const record = JSON.parse((await w.run("wfr_1")).workflowRunResponse);
    expect(JSON.parse(record.out)).toMatchObject({ status: 503 });
  });

  it("starts a run, and wakes the run that invoked it at its end", async () => {
    const w = world(
      app({
        [APP]: inline((run) =>
          run.nth === 1
            ? run.park(asksFor(1, "Invoke", invokeMessage("wfr_1", 1, "wfr_child")))
            : run.returned(run.results.get("step1")),
        ),
        [CHILD]: inline((run) => run.returned("from the child")),
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    expect(w.calls.map(({ url }) => url)).toEqual([APP, CHILD, APP]);
    const record = JSON.parse((await w.run("wfr_1")).workflowRunResponse);
    expect(JSON.parse(record.out)).toEqual({ body: '"from the child"', isFailed: false, isCanceled: false });
  });

  it("tells an invocation of a child's end by the news, without another delivery", async () => {
    const w = world(
      app({
        [APP]: inline(async (run) => {
          await run.append([asksFor(1, "Invoke", invokeMessage("wfr_1", 1, "wfr_child"))], [key("work")]);
          await run.self.ask("DELETE", "/v2/workflows/runs/wfr_child?cancel=false", { body: '"ended"' });
          return run.returned(added(await run.append([done(2)])));
        }),
        [CHILD]: () => new Promise(() => {}),
      }),
    );
    await w.start("wfr_1");
    await until(async () => (await stateOf(w)) === "RUN_SUCCESS");
    expect(JSON.parse((await w.run("wfr_1")).workflowRunResponse)).toMatchObject([
      { stepId: 1, stepType: "Invoke" },
    ]);
    expect(w.calls.filter(({ url }) => url === APP)).toHaveLength(1);
    await w.engine.stop({ deadline: 0 });
  });

  it("refuses what belongs to another run or step, and records nothing of it", async () => {
    const w = world(
      inline(async (run) => {
        for (const ask of [
          asksFor(1, "Call", callMessage("wfr_2", 1)),
          asksFor(1, "Call", callMessage("wfr_1", 2)),
          asksFor(1, "Call", { destination: THIRD, headers: {} }),
          waits("wfr_2", 1, "stop"),
          asksFor(1, "Invoke", invokeMessage("wfr_2", 1, newMessageId())),
        ])
          await expect(run.append([done(9), ask])).rejects.toThrow("refused");
        return run.returned(1);
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    expect((await w.run("wfr_1")).steps).toHaveLength(1);
  });
});
