import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { crash, never, stateOf, useMachine } from "../crashing.ts";
import { APP, type Endpoint, runIdOf, START, until, type World } from "../harness.ts";
import { app, callStep, isAnswer, recordsOf, THIRD, to, wait, waitStep, workflow } from "../steps.ts";

const machine = useMachine();
const boot = (endpoint: Endpoint): World => machine().boot(endpoint);

describe("an engine that died", () => {
  it("while a third party was called calls it again, as the same attempt", async () => {
    const before = boot(app({ [APP]: workflow(callStep()), [THIRD]: never }));
    await before.start("wfr_1");
    await until(() => to(before, THIRD).length === 1);
    await crash(before);
    const after = boot(app({ [APP]: workflow(callStep()), [THIRD]: () => new Response("fine") }));
    await after.drain();
    const ids = [before, after].map((w) => to(w, THIRD)[0]?.headers.get(HEADER.messageId));
    expect(ids[0]).toBe(ids[1]);
    expect(await stateOf(after)).toBe("RUN_SUCCESS");
    await crash(after);
  });

  it("between a call's answer and its delivery brings it, without another call", async () => {
    const before = boot(
      app({
        [APP]: (call, self) => (isAnswer(call) ? never() : workflow(callStep())(call, self)),
        [THIRD]: () => new Response("fine"),
      }),
    );
    await before.start("wfr_1");
    await until(() => before.calls.some(isAnswer));
    await crash(before);
    const after = boot(app({ [APP]: workflow(callStep()) }));
    await after.drain();
    expect(to(after, THIRD)).toEqual([]);
    expect(after.calls.find(isAnswer)?.text).toBe(before.calls.find(isAnswer)?.text);
    expect(await stateOf(after)).toBe("RUN_SUCCESS");
    await crash(after);
  });

  it("in the middle of a call's retries goes on with the same count and wait", async () => {
    const options = { [HEADER.retries]: "2", [HEADER.retryDelay]: "60000" };
    const before = boot(
      app({ [APP]: workflow(callStep({ options })), [THIRD]: () => new Response("", { status: 500 }) }),
    );
    await before.start("wfr_1");
    await before.engine.idle();
    await crash(before);
    const after = boot(
      app({ [APP]: workflow(callStep({ options })), [THIRD]: () => new Response("", { status: 500 }) }),
    );
    await after.drain();
    expect(to(after, THIRD).map((call) => [call.at - START, call.headers.get(HEADER.retried)])).toEqual([
      [60_000, "1"],
      [120_000, "2"],
    ]);
    expect(await stateOf(after)).toBe("RUN_SUCCESS");
    await crash(after);
  });

  it("after a wait was registered, but before its delivery was settled, waits once", async () => {
    const before = boot(async (call, self) => {
      await wait(self, runIdOf(call), 1, "e");
      return never();
    });
    await before.start("wfr_1");
    await until(async () => (await before.ask("GET", "/v2/waiters/e")).body.length === 1);
    await crash(before);
    const after = boot(workflow(waitStep("e")));
    await after.engine.idle();
    expect((await after.ask("POST", "/v2/notify/e", { body: "1" })).body).toHaveLength(1);
    await after.drain();
    expect(await stateOf(after)).toBe("RUN_SUCCESS");
    await crash(after);
  });

  it("while something waited ends the wait on time, or at once when that has passed", async () => {
    const before = boot(workflow(waitStep("e", "60s")));
    await before.start("wfr_1");
    await before.start("wfr_2", { [HEADER.delay]: "30s" });
    await before.drain(START + 30_000);
    await crash(before);
    machine().clock.advance(35_000);
    const after = boot(workflow(waitStep("e", "60s")));
    await after.drain();
    expect(to(after, APP).map((call) => [runIdOf(call), call.at - START])).toEqual([
      ["wfr_1", 65_000],
      ["wfr_2", 90_000],
    ]);
    await crash(after);
  });

  it("between an event and the step that it woke delivers that step, and keeps what came too early", async () => {
    const before = boot((call, self) =>
      recordsOf(call).length > 0 ? never() : workflow(waitStep("e"), waitStep("f"))(call, self),
    );
    await before.start("wfr_1");
    await before.engine.idle();
    await before.ask("POST", "/v2/notify/wfr_1/f", { body: "early" });
    await before.ask("POST", "/v2/notify/e", { body: "now" });
    await until(() => before.calls.length === 2);
    await crash(before);
    const after = boot(workflow(waitStep("e"), waitStep("f")));
    await after.drain();
    expect(after.calls).toHaveLength(2);
    expect(await stateOf(after)).toBe("RUN_SUCCESS");
    await crash(after);
  });
});
