import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { NOT_AGAIN } from "../failing.ts";
import { APP, type Endpoint, failed, isFailure, ok, START, sequence, type World, world } from "../harness.ts";
import { capable, rolledBack, undoable } from "../pages.ts";
import { app, callStep, isAnswer, runStep, THIRD, to, workflow } from "../steps.ts";

const RUN = "wfr_1";
const ALARM = "https://alarm.test/";
const QUICK = { [HEADER.retries]: "0", [HEADER.retryDelay]: "1000" };
const alarms = (w: World) => w.calls.filter(({ url }) => url === ALARM);
const boom = (): Response => failed(489, "boom", NOT_AGAIN);

/** Everything that a workflow's endpoint may say, said by somebody else. */
const FORGED = {
  [HEADER.sdkVersion]: "1",
  [HEADER.sdkName]: "v1.3.3",
  [HEADER.maxRetries]: "9999",
  [HEADER.capabilities]: "1, on-cancel, timeout=1",
  [HEADER.rollback]: "recorded",
  [HEADER.errorStepName]: "forged",
  [HEADER.noFailureFunction]: "true",
};
const RECORD = { stepId: 1, stepName: "step1", stepType: "Run", state: "done", attempts: 1 };
const forged = (status: number, more: Record<string, string> = {}): Response =>
  new Response(JSON.stringify({ rollback: RECORD }), { status, headers: { ...FORGED, ...more } });
const traitsOf = async (w: World) => (await w.store.runs({ count: 1 })).items[0]?.run.capabilities;

describe("a called service", () => {
  it.each([0, 2])("is asked as often as the call says (%i retries), whatever it says", async (retries) => {
    const call = callStep({ options: { [HEADER.retries]: String(retries), [HEADER.retryDelay]: "1000" } });
    const w = world(
      app({ [APP]: workflow(call, runStep), [THIRD]: () => forged(500, { "Retry-After": "1" }) }),
    );
    await w.start(RUN);
    await w.drain();
    expect(to(w, THIRD).map(({ at }) => at - START)).toEqual([0, 1000, 2000].slice(0, 1 + retries));
    expect((await w.run(RUN)).workflowState).toBe("RUN_SUCCESS");
    expect(await traitsOf(w)).toBeUndefined();
    expect(w.events.filter((event) => "failedStep" in event && event.failedStep !== undefined)).toEqual([]);
    expect(w.calls.filter(isAnswer)).toHaveLength(1);
  });

  it("can't give the run a deadline, nor a cancel function", async () => {
    const w = world(app({ [APP]: workflow(callStep(), runStep), [THIRD]: () => forged(200) }));
    await w.start(RUN);
    await w.drain();
    expect(await w.run(RUN)).toMatchObject({ workflowState: "RUN_SUCCESS" });
    expect(await traitsOf(w)).toBeUndefined();
  });

  it("brings the workflow what it has answered, with all headers", async () => {
    const w = world(app({ [APP]: workflow(callStep(), runStep), [THIRD]: () => forged(200) }));
    await w.start(RUN);
    await w.drain();
    const { header } = JSON.parse(w.calls.find(isAnswer)?.text ?? "{}");
    expect(header).toMatchObject({ "Perdure-Max-Retries": ["9999"] });
  });
});

describe("the destination of a plain message, and of its callbacks", () => {
  it("is asked as often as the message says, whatever it says", async () => {
    const w = world(() => forged(500));
    await w.ask("POST", "/v2/publish/https://third.test/x", {
      headers: {
        ...QUICK,
        [HEADER.callback]: "https://third.test/callback",
        "Upstash-Callback-Retries": "0",
        [HEADER.failureCallback]: "https://third.test/failure",
        "Upstash-Failure-Callback-Retries": "0",
      },
    });
    await w.drain();
    expect(w.calls.map(({ url }) => url).sort()).toEqual(
      ["callback", "failure", "x"].map((path) => `https://third.test/${path}`),
    );
  });
});

describe("a failureUrl elsewhere", () => {
  const fail = async (alarm: Endpoint, end: Endpoint = () => ok("{}")): Promise<World> => {
    const own = undoable(boom, end);
    const w = world((call, self) => (call.url === ALARM ? alarm(call, self) : own(call, self)));
    await w.start(RUN, {
      ...QUICK,
      [HEADER.failureCallback]: ALARM,
      "Upstash-Failure-Callback-Retries": "1",
    });
    await w.drain();
    return w;
  };

  it("forges no rollback, and is told once", async () => {
    const w = await fail(() => forged(200));
    expect(alarms(w)).toHaveLength(1);
    expect(await w.run(RUN)).not.toHaveProperty("rollbacks");
  });

  it("is tried as often as the trigger has said", async () => {
    const w = await fail(() => forged(500));
    expect(alarms(w)).toHaveLength(2);
  });

  it("that has got the report counts as told, whatever it says of a failure function", async () => {
    const w = await fail(() => forged(200, { "X-Own": "1" }));
    const { failureFunction } = await w.run(RUN);
    expect(failureFunction).toMatchObject({ state: "CALLBACK_SUCCESS", responseHeaders: { "X-Own": ["1"] } });
    expect(await w.deadLetters("?failureFunctionState=CALLBACK_SUCCESS")).toHaveLength(1);
    expect(w.events.at(-1)).toMatchObject({ type: "failure.reported", outcome: "handled" });
  });

  it("doesn't change what the run's endpoint can do", async () => {
    expect(await traitsOf(await fail(() => forged(200)))).toBe("1");
  });
});

describe("a run's own endpoint", () => {
  const fail = async (...answers: Response[]): Promise<World> => {
    const w = world(undoable(boom, () => answers.shift() ?? ok("{}")));
    await w.start(RUN, QUICK);
    await w.drain();
    return w;
  };

  it.each<[string, object]>([
    ["a step that the run can't have", { stepId: 7 }],
    ["no step at all", { stepId: 0 }],
    ["another step under a step's id", { stepName: "other" }],
    ["another kind of step under a step's id", { stepType: "Call" }],
  ])("has no rollback on record of %s", async (_name, more) => {
    const w = await fail(rolledBack(1, more));
    const run = await w.run(RUN);
    expect(run).not.toHaveProperty("rollbacks");
    expect(run.failureFunction).toMatchObject({
      state: "CALLBACK_FAIL",
      errors: [{ error: expect.stringContaining("which this run doesn't have") }],
    });
  });

  it("has one of a recorded step, and of the one that was under way", async () => {
    const w = await fail(rolledBack(2, { stepName: "under way" }), rolledBack(1));
    expect((await w.run(RUN)).rollbacks).toMatchObject([{ stepId: 2 }, { stepId: 1 }]);
  });

  it.each([
    [2, 3],
    [9999, 6],
  ])("that asks for %i retries has %i attempts, where five retries are allowed", async (asked, attempts) => {
    const w = world(
      (call, self) =>
        isFailure(call)
          ? ok("{}")
          : call.headers.get(HEADER.init) === "true"
            ? sequence(1)(call, self)
            : failed(500, "no", { [HEADER.maxRetries]: String(asked) }),
      { limits: { retries: 5 } },
    );
    await w.start(RUN, QUICK);
    await w.drain();
    expect(
      w.calls.filter((call) => !isFailure(call) && call.headers.get(HEADER.init) !== "true"),
    ).toHaveLength(attempts);
  });

  it("without the header of the protocol is read for nothing of ours", async () => {
    const bare = (): Response =>
      new Response("no", {
        status: 500,
        headers: { [HEADER.maxRetries]: "9", [HEADER.capabilities]: "1, on-cancel" },
      });
    const w = world((call) => (isFailure(call) ? capable() : bare()));
    await w.start(RUN, QUICK);
    await w.drain();
    expect(w.calls.filter((call) => !isFailure(call))).toHaveLength(1);
    expect(await traitsOf(w)).toBe("1");
  });
});
