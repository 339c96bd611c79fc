import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import {
  APP,
  decode,
  type Endpoint,
  failed,
  historyOf,
  isFailure,
  ok,
  runIdOf,
  START,
  type World,
  world,
} from "../harness.ts";
import { app, CHILD, invoke, invokeStep, recordsOf, runStep, to, waitStep, workflow } from "../steps.ts";

const family = (child: Endpoint, headers: Record<string, string> = {}): Endpoint =>
  app({ [APP]: workflow(invokeStep("wfr_child", headers), runStep), [CHILD]: child });

const outOf = (w: World) => JSON.parse(recordsOf(to(w, APP)[1] as never)[0]?.out ?? "");

describe("a run that invokes another one", () => {
  it("goes on with what that returned", async () => {
    const w = world(family(workflow(runStep)));
    await w.start("wfr_1", { "Upstash-Forward-X-User": "u" });
    await w.drain();
    const [childs] = to(w, CHILD);
    expect(decode(historyOf(childs as never)[0]?.body ?? "")).toBe('{"for":"child"}');
    expect(childs?.headers.get(HEADER.invokeCount)).toBe("1");
    expect(childs?.headers.get("x-user")).toBeNull();
    expect(to(w, APP)[1]?.headers.get("x-user")).toBe("u");
    expect(recordsOf(to(w, APP)[1] as never)[0]).toMatchObject({
      stepId: 1,
      stepName: "step1",
      stepType: "Invoke",
    });
    expect(outOf(w)).toEqual({ body: '"all done"', isFailed: false, isCanceled: false });
    expect(await w.run("wfr_child")).toMatchObject({
      workflowState: "RUN_SUCCESS",
      invoker: { workflowRunId: "wfr_1", workflowUrl: APP, workflowRunCreatedAt: START },
    });
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  });

  it("learns that it has failed, which is no failure of its own", async () => {
    const child: Endpoint = (call) => (isFailure(call) ? ok("{}") : failed(500, "boom"));
    const w = world(family(child, { [HEADER.retries]: "1", [HEADER.retryDelay]: "1000" }));
    await w.start("wfr_1");
    await w.drain();
    expect(outOf(w)).toEqual({ isFailed: true, isCanceled: false });
    expect((await w.run("wfr_child")).workflowState).toBe("RUN_FAILED");
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
    expect(w.calls.filter(isFailure).map(runIdOf)).toEqual(["wfr_child"]);
  });

  it.each([
    ["by itself", "DELETE", "/v2/workflows/runs/wfr_child?cancel=true"],
    ["with others", "DELETE", "/v2/workflows/runs?workflowRunIds=wfr_child"],
  ])("learns that it was canceled %s", async (_, method, path) => {
    const w = world(family(workflow(waitStep("never"))));
    await w.start("wfr_1");
    await w.engine.idle();
    expect((await w.ask(method, path)).body).toEqual({ cancelled: 1 });
    await w.drain();
    expect(outOf(w)).toEqual({ isFailed: false, isCanceled: true });
    expect(w.events).toContainEqual({
      type: "step.recorded",
      runId: "wfr_1",
      step: "step1",
      stepType: "Invoke",
      waitingSince: START,
      recordKey: "result:1",
    });
  });

  it("learns it also when the child's only message was canceled", async () => {
    const w = world(family(workflow(runStep), { [HEADER.delay]: "1d" }));
    await w.start("wfr_1");
    await w.engine.idle();
    const { steps } = await w.run("wfr_child");
    await w.ask("DELETE", `/v2/messages/${steps[0].steps[0].messageId}`);
    await w.engine.idle();
    expect(outOf(w)).toMatchObject({ isCanceled: true });
  });

  it("isn't taken for stalled while the child lives", async () => {
    const w = world(family(workflow(waitStep("later", "10d"))));
    await w.start("wfr_1");
    await w.drain(START + 9 * 86_400_000);
    const run = await w.run("wfr_1");
    expect(run).toMatchObject({ workflowState: "RUN_STARTED" });
    expect(run.steps.at(-1)).toMatchObject({
      type: "next",
      steps: [
        { stepName: "step1", stepType: "Invoke", invokedWorkflowRunId: "wfr_child", state: "STEP_PROGRESS" },
      ],
    });
  });

  it("starts one child, however often its endpoint asks, and whatever ids it makes up", async () => {
    const w = world(app({ [APP]: workflow(runStep, waitStep("never")), [CHILD]: workflow(runStep) }));
    await w.start("wfr_1", { [HEADER.delay]: "1h" });
    const one = await invoke(w, "wfr_1", 1, "wfr_a", { createdAt: START });
    const two = await invoke(w, "wfr_1", 1, "wfr_b", { createdAt: START });
    expect(two.body).toEqual([{ ...one.body[0], deduplicated: true }]);
    await w.engine.idle();
    const three = await invoke(w, "wfr_1", 1, "wfr_c", { createdAt: START });
    expect(three.body).toMatchObject([{ deduplicated: true }]);
    expect(to(w, CHILD).map(runIdOf)).toEqual(["wfr_a", "wfr_a"]);
  });

  it("is refused what isn't possible", async () => {
    const w = world(family(workflow(waitStep("never"))));
    await w.start("wfr_1");
    await w.start("wfr_2", { [HEADER.delay]: "1d" });
    await w.engine.idle();
    const error = (text: string) => ({ status: 400, body: { error: expect.stringContaining(text) } });
    expect(await invoke(w, "wfr_2", 7, "wfr_child")).toMatchObject(error("wfr_child is live already"));
    expect(await invoke(w, "wfr_none", 1, "wfr_x")).toMatchObject(error("wfr_none doesn't exist"));
    expect(await invoke(w, "wfr_1", 7, "wfr_x", { createdAt: 5 })).toMatchObject(error("wfr_1"));
    expect(await invoke(w, "wfr_1", 7, "wfr_x", { depth: 101 })).toMatchObject(error("at most 100"));
    expect((await invoke(w, "wfr_1", 7, "wfr_x", { depth: 100 })).status).toBe(200);
    expect((await w.ask("GET", "/v2/workflows/runs/wfr_child")).status).toBe(200);
  });

  it("may end before its child: that goes on, and tells nobody", async () => {
    const w = world(family(workflow(waitStep("go"))));
    await w.start("wfr_1");
    await w.engine.idle();
    await w.ask("DELETE", "/v2/workflows/runs/wfr_1?cancel=true");
    await w.ask("POST", "/v2/notify/go", { body: "1" });
    await w.drain();
    expect((await w.run("wfr_child")).workflowState).toBe("RUN_SUCCESS");
    expect(to(w, APP)).toHaveLength(1);
    expect((await w.run("wfr_1")).steps.at(-1).steps).toMatchObject([
      { stepType: "Invoke", state: "STEP_SUCCESS", invokedWorkflowUrl: CHILD },
    ]);
  });
});
