import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { APP, decode, ofRun, ok, result, START, type World, world } from "../harness.ts";
import { recordsOf, runStep, to, wait, waitStep, workflow } from "../steps.ts";

const notify = (w: World, path: string, body?: string | Uint8Array<ArrayBuffer>) =>
  w.ask("POST", `/v2/notify/${path}`, body === undefined ? {} : { body });

/** What the last delivery has on record for the first step. */
const first = (w: World) => recordsOf(to(w, APP).at(-1) as never)[0];

describe("a run that waits for an event", () => {
  it("goes on with the event's bytes as soon as it comes", async () => {
    const w = world(workflow(waitStep("paid")));
    await w.start("wfr_1");
    await w.engine.idle();
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_STARTED");
    w.clock.advance(5000);
    const bytes = new Uint8Array([0, 255, 10, 34]);
    const told = await notify(w, "paid", bytes);
    expect(told.status).toBe(201);
    await w.engine.idle();
    expect(first(w)).toEqual({
      stepId: 1,
      stepName: "step1",
      stepType: "Wait",
      concurrent: 1,
      waitEventId: "paid",
      timeout: "1h",
      out: Buffer.from(bytes).toString("base64"),
    });
    const delivery = to(w, APP).at(-1);
    expect(told.body).toEqual([
      {
        messageId: delivery?.headers.get(HEADER.messageId),
        workflowRunId: "wfr_1",
        workflowCreatedAt: START,
        waiter: expect.objectContaining({ url: APP, deadline: START / 1000 + 3600, timeoutUrl: APP }),
      },
    ]);
    expect(delivery?.at).toBe(START + 5000);
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  });

  it("goes on without it when the time is over, and not before", async () => {
    const w = world(workflow(waitStep("never", "90s")));
    await w.start("wfr_1", { "Upstash-Forward-X-User": "u" });
    await w.drain();
    const [, late] = to(w, APP);
    expect(late?.at).toBe(START + 90_000);
    expect(late?.headers.get("x-user")).toBe("u");
    expect(first(w)).toMatchObject({ waitEventId: "never", waitTimeout: true });
    expect(first(w)).not.toHaveProperty("out");
    expect(w.events).toContainEqual({
      type: "step.recorded",
      runId: "wfr_1",
      step: "step1",
      stepType: "Wait",
      timedOut: true,
      waitingSince: START,
      recordKey: "result:1",
    });
    expect(w.events).toContainEqual({
      type: "step.waiting",
      runId: "wfr_1",
      step: "step1",
      stepType: "Wait",
      eventId: "never",
      until: START + 90_000,
    });
  });

  it("takes an event without data for one, and not for a timeout", async () => {
    const w = world(workflow(waitStep("ping")));
    await w.start("wfr_1");
    await w.engine.idle();
    await notify(w, "ping");
    await w.engine.idle();
    expect(first(w)).not.toHaveProperty("out");
    expect(first(w)).not.toHaveProperty("waitTimeout");
  });

  it("is told apart from one that has stalled", async () => {
    const w = world(workflow(waitStep("paid", "30d")));
    await w.start("wfr_1");
    await w.drain(START + 29 * 86_400_000);
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_STARTED");
    expect((await w.ask("GET", "/v2/waiters/paid")).body).toHaveLength(1);
  });

  it("is registered once, however often its endpoint asks", async () => {
    let goOn = (): void => {};
    const asked = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const w = world(async (call, self) => {
      if (recordsOf(call).length > 0) {
        await asked;
        return workflow(waitStep("e"))(call, self);
      }
      const answers = [await wait(self, "wfr_1", 1, "e"), await wait(self, "wfr_1", 1, "e")];
      expect(answers[1]?.body).toEqual({ messageId: answers[0]?.body.messageId, deduplicated: true });
      return ok();
    });
    await w.start("wfr_1");
    await w.engine.idle();
    expect((await notify(w, "e", "1")).body).toHaveLength(1);
    expect(await wait(w, "wfr_1", 1, "e")).toMatchObject({ body: { deduplicated: true } });
    goOn();
    expect((await notify(w, "e", "2")).body).toEqual([]);
    await w.drain();
    expect(to(w, APP)).toHaveLength(2);
  });

  it("is refused when the run isn't alive, and when it can't be understood", async () => {
    const w = world(workflow(waitStep("e")));
    expect(await wait(w, "wfr_none", 1, "e")).toMatchObject({ status: 400 });
    await w.start("wfr_1");
    await w.engine.idle();
    const ask = (body: string) => w.ask("POST", "/v2/wait/x", { headers: ofRun("wfr_1", "false"), body });
    const step = { stepId: 2, stepName: "s", stepType: "Wait", concurrent: 1 };
    for (const [body, error] of [
      ["{", "not JSON"],
      ["[]", "must be a JSON object"],
      [JSON.stringify({ url: APP, timeout: "1h", step: { ...step, stepId: 0, targetStep: 2 } }), "a plan"],
      [JSON.stringify({ url: APP, timeout: "soon", step }), "invalid timeout"],
      [JSON.stringify({ url: "app", timeout: "1h", step }), "invalid url"],
      [JSON.stringify({ url: { toString: 1 }, timeout: "1h", step }), "invalid url"],
      [JSON.stringify({ url: APP, timeoutUrl: 5, timeout: "1h", step }), "invalid timeoutUrl"],
      [JSON.stringify({ url: APP, timeout: "1h" }), "invalid step"],
    ] as const) {
      expect(await ask(body)).toMatchObject({
        status: 400,
        body: { error: expect.stringContaining(error) },
      });
    }
    expect((await w.ask("POST", "/v2/wait/", { body: "{}" })).status).toBe(400);
  });
});

describe("an event", () => {
  it("for everybody reaches all who wait, in any run, and nobody who comes later", async () => {
    const w = world(workflow(waitStep("all/of us?"), runStep));
    await Promise.all(["wfr_1", "wfr_2", "wfr_3"].map((id) => w.start(id)));
    await w.engine.idle();
    const told = await notify(w, encodeURIComponent("all/of us?"), '{"a":1}');
    expect(told.body.map((one: { workflowRunId: string }) => one.workflowRunId).sort()).toEqual([
      "wfr_1",
      "wfr_2",
      "wfr_3",
    ]);
    await w.start("wfr_4");
    await w.engine.idle();
    expect((await w.run("wfr_2")).workflowState).toBe("RUN_SUCCESS");
    expect((await w.run("wfr_4")).workflowState).toBe("RUN_STARTED");
  });

  it("with a slash that wasn't escaped is one of that name, unless a run's id comes first", async () => {
    const w = world(workflow(waitStep("a/b")));
    await w.start("wfr_1");
    await w.engine.idle();
    expect((await w.ask("GET", "/v2/waiters/a/b")).body).toHaveLength(1);
    expect((await notify(w, "wfr_1/a/b", "x")).body).toHaveLength(1);
    await w.start("mine");
    await w.engine.idle();
    expect((await notify(w, "mine/other", "x")).body).toEqual([]);
    expect((await notify(w, "a/b", "x")).body).toMatchObject([{ workflowRunId: "mine" }]);
  });

  it("for one run is kept until it waits, the first first", async () => {
    const w = world(
      workflow(
        ({ id, runId, self }) => self.append(runId, [result(id)], { [HEADER.delay]: "1m" }),
        waitStep("e"),
        waitStep("e"),
      ),
    );
    await w.start("wfr_1");
    await w.engine.idle();
    expect(await notify(w, "wfr_1/e", "one")).toMatchObject({ status: 201, body: [] });
    await notify(w, "wfr_1/e", "two");
    await w.drain();
    const records = recordsOf(to(w, APP).at(-1) as never);
    expect(records.slice(1).map(({ out }) => decode(out ?? ""))).toEqual(["one", "two"]);
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  });

  it("for one run touches no other, and wakes one step", async () => {
    const both = [waitStep("e"), waitStep("e")];
    const w = world(workflow(...both));
    await w.start("wfr_1");
    await w.start("wfr_2");
    await w.engine.idle();
    await notify(w, "wfr_2/e", "x");
    await w.engine.idle();
    const { body } = await w.ask("GET", "/v2/waiters/e");
    expect(body).toHaveLength(2);
    expect((await w.run("wfr_2")).steps).toHaveLength(3);
    expect((await w.run("wfr_1")).steps).toHaveLength(2);
  });

  it("for a run that has ended, or never was, finds nobody", async () => {
    const w = world(workflow());
    await w.start("wfr_1");
    await w.engine.idle();
    expect(await notify(w, "wfr_1/e", "x")).toMatchObject({ status: 201, body: [] });
    expect(await notify(w, "wfr_none/e", "x")).toMatchObject({ status: 201, body: [] });
  });

  it("finds nobody in a run that was canceled", async () => {
    const w = world(workflow(waitStep("e")));
    await w.start("wfr_1");
    await w.engine.idle();
    await w.ask("DELETE", "/v2/workflows/runs/wfr_1?cancel=true");
    expect((await notify(w, "e", "x")).body).toEqual([]);
    await w.drain();
    expect(to(w, APP)).toHaveLength(1);
    const { steps } = await w.run("wfr_1");
    expect(steps.at(-1)).toMatchObject({
      type: "next",
      steps: [{ stepName: "step1", stepType: "Wait", waitEventId: "e", state: "STEP_CANCELED" }],
    });
  });
});
