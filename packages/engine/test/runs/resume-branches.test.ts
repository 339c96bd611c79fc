import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { afterSteps, fragile, ONCE, plan, revive } from "../failing.ts";
import { APP, failed, historyOf, isFailure, ok, result, runIdOf, START, until, world } from "../harness.ts";
import {
  app,
  CHILD,
  callStep,
  invoke,
  isAnswer,
  recordsOf,
  runStep,
  THIRD,
  to,
  wait,
  waitStep,
  workflow,
} from "../steps.ts";

describe("a failed run", () => {
  it("with branches goes on with every plan that has no result, each cut after itself", async () => {
    let broken = true;
    const done = new Map<string, number>();
    const w = world(async (call, self) => {
      if (isFailure(call)) return ok("{}");
      const records = recordsOf(call);
      const runId = runIdOf(call);
      const last = records.at(-1);
      if (!last) await self.append(runId, [plan(1), plan(2), { ...plan(3), concurrent: 3 }]);
      else if (last.stepId === 0) {
        const target = last.targetStep ?? 0;
        if (target === 2 && broken) {
          // Not before the others have got as far as they will: a run that has failed takes nothing more.
          await until(() => done.has("1") && done.has("3"));
          return failed(500, "boom");
        }
        if (target === 3 && broken) await self.append(runId, [result(9)], { [HEADER.delay]: "1d" });
        else await self.append(runId, [result(target, { concurrent: 2 })]);
        done.set(`${target}`, (done.get(`${target}`) ?? 0) + 1);
      } else if (records.filter(({ stepId }) => stepId > 0 && stepId < 4).length === 3) await self.end(runId);
      return ok();
    });
    await w.start("wfr_1", ONCE);
    await w.drain();
    broken = false;
    const before = w.calls.length;
    const id = await revive(w);
    await w.drain();
    const calls = w.calls.slice(before);
    const plans = calls.filter((call) => recordsOf(call).at(-1)?.stepId === 0);
    expect(plans.map((call) => recordsOf(call).at(-1)?.targetStep).sort()).toEqual([2, 3]);
    for (const call of plans)
      expect(historyOf(call).at(-1)?.messageId).toBe(call.headers.get(HEADER.messageId));
    expect(Object.fromEntries(done)).toEqual({ 1: 1, 2: 1, 3: 2 });
    expect((await w.run(id)).workflowState).toBe("RUN_SUCCESS");
  });

  it("with a wait and a call in other branches has both asked for again", async () => {
    let broken = true;
    let late = (_: Response): void => {};
    const w = world(async (call, self) => {
      const runId = runIdOf(call);
      if (call.url === THIRD)
        return broken ? new Promise((resolve) => (late = resolve)) : new Response("fine");
      if (isFailure(call)) return ok("{}");
      if (isAnswer(call)) return workflow()(call, self);
      const records = recordsOf(call);
      const last = records.at(-1);
      if (!last) await self.append(runId, [plan(1), plan(2, "Wait"), plan(3, "Call")]);
      else if (last.targetStep === 1) {
        if (broken) return failed(500, "boom", { [HEADER.retryAfter]: "60" });
        await self.append(runId, [result(1)]);
      } else if (last.targetStep === 2) await wait(self, runId, 2, "e");
      else if (last.targetStep === 3) await callStep()({ id: 3, runId, call, self });
      else if (records.filter(({ stepId }) => stepId > 0).length === 3) await self.end(runId);
      return ok();
    });
    await w.start("wfr_1", { [HEADER.retries]: "1" });
    await until(() => to(w, THIRD).length === 1);
    await until(() => w.events.some(({ type }) => type === "retrying"));
    w.clock.advance(60_000);
    await until(() => w.events.some(({ type }) => type === "failed"));
    late(new Response("too late"));
    await w.engine.idle();
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_FAILED");
    broken = false;
    const id = await revive(w);
    await w.engine.idle();
    expect(to(w, THIRD)).toHaveLength(2);
    expect((await w.ask("POST", "/v2/notify/e", { body: "1" })).body).toMatchObject([{ workflowRunId: id }]);
    await w.drain();
    expect((await w.run(id)).workflowState).toBe("RUN_SUCCESS");
  });

  it("whose answer to a call wasn't taken is brought that answer again, without another call", async () => {
    const flaky = fragile(workflow(callStep(), runStep), isAnswer);
    const w = world(app({ [APP]: flaky.endpoint, [THIRD]: () => new Response("fine") }));
    await w.start("wfr_1", ONCE);
    await w.drain();
    expect((await w.run("wfr_1")).steps.at(-1).steps).toMatchObject([
      { stepName: "step1", state: "STEP_FAILED" },
    ]);
    flaky.broken = false;
    const id = await revive(w);
    await w.drain();
    expect(to(w, THIRD)).toHaveLength(1);
    const run = await w.run(id);
    expect(run.workflowState).toBe("RUN_SUCCESS");
    expect(run.steps[1].steps[0]).toMatchObject({
      callUrl: THIRD,
      callResponseStatus: 200,
      callResponseBody: "fine",
    });
  });

  it.each(["live", "ended"])("keeps the child that it has invoked, be it %s", async (how) => {
    let broken = true;
    const w = world(
      app({
        [CHILD]: workflow(waitStep("go")),
        [APP]: async (call, self) => {
          if (isFailure(call)) return ok("{}");
          const runId = runIdOf(call);
          const records = recordsOf(call);
          const last = records.at(-1);
          if (!last) await self.append(runId, [plan(1, "Invoke"), plan(2)]);
          else if (last.targetStep === 1) {
            await invoke(self, runId, 1, `wfr_child_of_${runId}`);
          } else if (last.targetStep === 2) {
            if (broken) {
              await until(() => to(self, CHILD).length > 0);
              return failed(500, "boom");
            }
            await self.append(runId, [result(2)]);
          } else if (records.filter(({ stepId }) => stepId > 0).length === 2) await self.end(runId);
          return ok();
        },
      }),
    );
    await w.start("wfr_1", ONCE);
    await w.drain(START);
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_FAILED");
    broken = false;
    const go = () => w.ask("POST", "/v2/notify/go", { body: "1" });
    if (how === "ended") await go();
    await w.engine.idle();
    const id = await revive(w);
    await w.engine.idle();
    if (how === "live") await go();
    await w.drain();
    expect(new Set(to(w, CHILD).map(runIdOf))).toEqual(new Set(["wfr_child_of_wfr_1"]));
    expect((await w.run(id)).workflowState).toBe("RUN_SUCCESS");
    expect((await w.run("wfr_child_of_wfr_1")).invoker.workflowRunId).toBe(id);
    // Observers hear of the child's end, whether it came before the resume or after.
    const invoked = w.events.filter((event) => event.type === "step.recorded" && event.stepType === "Invoke");
    expect(invoked).toEqual([
      expect.objectContaining({ type: "step.recorded", runId: id, step: "step1", stepType: "Invoke" }),
    ]);
  });

  it("that is resumed can still be reached by the webhook that it gave out", async () => {
    const out = JSON.stringify({ webhookUrl: "x", eventId: "evt_1" });
    const create = ({ id, runId, self }: Parameters<typeof runStep>[0]) =>
      self.append(runId, [result(id, { stepType: "CreateWebhook", out })]);
    const flaky = fragile(workflow(create, waitStep("evt_1"), waitStep("evt_1")), afterSteps(1));
    const w = world(flaky.endpoint);
    await w.start("wfr_1", { ...ONCE, [HEADER.retries]: "1", [HEADER.retryDelay]: "60000" });
    await w.engine.idle();
    const hit = () => w.ask("POST", "/v2/workflows/hooks/u/wfr_1/evt_1", { token: null, body: "x" });
    expect((await hit()).status).toBe(200);
    await w.drain();
    flaky.broken = false;
    const id = await revive(w);
    await w.engine.idle();
    expect((await w.run(id)).steps).toHaveLength(4);
    expect((await hit()).status).toBe(200);
    await w.drain();
    expect((await w.run(id)).workflowState).toBe("RUN_SUCCESS");
  });
});
