import { HEADER } from "@perdure/core/protocol";
import { ON_POSTGRES } from "@perdure/test-support/mode";
import { describe, expect, it } from "vitest";
import { crash, never, stateOf, useMachine } from "../crashing.ts";
import {
  APP,
  type Endpoint,
  failed,
  isFailure,
  ok,
  result,
  runIdOf,
  START,
  sequence,
  until,
  type World,
} from "../harness.ts";
import { app, CHILD, invokeStep, recordsOf, runStep, to, waitStep, workflow } from "../steps.ts";

/** When deliveries that a dead engine has left are due again: a takeover on PostgreSQL comes seconds after the death. */
const GRACE = ON_POSTGRES ? 0 : 1000;
const machine = useMachine();
const boot = (endpoint: Endpoint): World => machine().boot(endpoint);

describe("an engine that died", () => {
  it("between the end of a child and its invoker's delivery delivers that", async () => {
    const endpoint = app({
      [APP]: (call, self) =>
        recordsOf(call).length > 0 ? never() : workflow(invokeStep("wfr_child"))(call, self),
      [CHILD]: workflow(runStep),
    });
    const before = boot(endpoint);
    await before.start("wfr_1");
    await until(() => to(before, APP).length === 2);
    await crash(before);
    const after = boot(app({ [APP]: workflow(invokeStep("wfr_child")) }));
    await after.drain();
    expect(to(after, CHILD)).toEqual([]);
    expect(await stateOf(after)).toBe("RUN_SUCCESS");
    await crash(after);
  });

  it("after a child was started, but before that delivery was settled, starts no other", async () => {
    const before = boot(
      app({
        [APP]: async (call, self) => {
          await invokeStep("wfr_a")({ id: 1, runId: runIdOf(call), call, self });
          return never();
        },
        [CHILD]: never,
      }),
    );
    await before.start("wfr_1");
    await until(() => to(before, CHILD).length === 1);
    await crash(before);
    const after = boot(app({ [APP]: workflow(invokeStep("wfr_b")), [CHILD]: workflow(runStep) }));
    await after.drain();
    expect(new Set(to(after, CHILD).map(runIdOf))).toEqual(new Set(["wfr_a"]));
    expect(await stateOf(after)).toBe("RUN_SUCCESS");
    await crash(after);
  });

  it("after a failed run was taken up again goes on with the new one", async () => {
    const before = boot((call, self) => {
      if (isFailure(call)) return ok("{}");
      if (runIdOf(call) !== "wfr_1") return never();
      return recordsOf(call).length > 0 ? failed(500, "x") : sequence(2)(call, self);
    });
    await before.start("wfr_1", { [HEADER.retries]: "0" });
    await before.drain();
    const { body } = await before.ask("POST", "/v2/workflows/dlq/resume");
    const id = body.workflowRuns[0].workflowRunId;
    await until(() => before.calls.some((call) => runIdOf(call) === id));
    await crash(before);
    const after = boot(sequence(2));
    await after.drain();
    expect(after.calls.map((call) => [runIdOf(call), recordsOf(call).length])).toEqual([
      [id, 1],
      [id, 2],
    ]);
    expect(await stateOf(after, id)).toBe("RUN_SUCCESS");
    expect(await after.deadLetters()).toEqual([]);
    await crash(after);
  });

  it("with a limited number under way gives their places to others", async () => {
    const headers = {
      [HEADER.flowControlKey]: "k",
      [HEADER.flowControlValue]: "parallelism=1,rate=2,period=1m",
    };
    const before = boot(never);
    for (const at of [0, 1, 2]) {
      await before.ask("POST", `/v2/publish/https://a.test/${at}`, { headers });
    }
    await until(() => before.calls.length === 1);
    await crash(before);
    const after = boot(() => new Response());
    await after.drain();
    // What was cut off had begun in this period: its second attempt is the second of two.
    expect(after.calls.map((call) => [call.url.slice(-1), call.at - START])).toEqual([
      ["0", GRACE],
      ["1", 60_000],
      ["2", 60_000],
    ]);
    await crash(after);
  });

  it("doesn't forget which webhooks are whose", async () => {
    const out = JSON.stringify({ webhookUrl: "x", eventId: "evt_1" });
    const steps = workflow(
      (at) => at.self.append(at.runId, [result(1, { stepType: "CreateWebhook", out })]),
      waitStep("evt_1"),
    );
    const before = boot(steps);
    await before.start("wfr_1");
    await before.engine.idle();
    await crash(before);
    const after = boot(steps);
    expect((await after.ask("POST", "/v2/workflows/hooks/u/wfr_1/evt_1", { token: null })).status).toBe(200);
    await after.drain();
    expect(await stateOf(after)).toBe("RUN_SUCCESS");
    await crash(after);
  });
});
