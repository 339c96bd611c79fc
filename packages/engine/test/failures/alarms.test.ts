import { HEADER, type StepRecord } from "@perdure/core/protocol";
import { ON_POSTGRES } from "@perdure/test-support/mode";
import { describe, expect, it } from "vitest";
import { NOT_AGAIN, plan } from "../failing.ts";
import {
  APP,
  type Call,
  type Endpoint,
  failed,
  historyOf,
  isFailure,
  ok,
  result,
  runIdOf,
  START,
  until,
  type World,
  world,
} from "../harness.ts";
import { capable, page, reportIn, rolledBack, undoable } from "../pages.ts";

const RUN = "wfr_1";
const ALARM = "https://alarm.test/";
const OPTIONS = { [HEADER.retries]: "0", [HEADER.retryDelay]: "1000", [HEADER.failureCallback]: ALARM };
const boom = (): Response => failed(489, "boom", NOT_AGAIN);
const inStep2 = (rollback: boolean) => (): Response =>
  new Response(
    JSON.stringify({
      error: "Error",
      message: "boom",
      step: { id: 2, name: "step2", type: "Run", rollback },
    }),
    { status: 489, headers: { ...NOT_AGAIN, [HEADER.sdkVersion]: "1", [HEADER.errorStepName]: "step2" } },
  );
const dead: Endpoint = () => Promise.reject(new Error("connect ECONNREFUSED"));

interface Told {
  readonly at: number;
  readonly rollbacks: [number, string][];
  readonly pending: boolean;
}

const toldIn = (call: Call): Told => {
  const { rollbacks, rollbacksPending = false } = reportIn(call);
  return {
    at: call.at - START,
    rollbacks: rollbacks.map((one: { stepId: number; state: string }) => [one.stepId, one.state]),
    pending: rollbacksPending,
  };
};
const told = (w: World): Told[] => w.calls.filter(({ url }) => url === ALARM).map(toldIn);
const asked = (w: World): number[] =>
  w.calls.filter((call) => call.url === APP && isFailure(call)).map(({ at }) => at - START);

function withAlarm(workflow: Endpoint, alarm: Endpoint = () => new Response("noted")): World {
  return world((call, self) => (call.url === ALARM ? alarm(call, self) : workflow(call, self)));
}

async function fail(workflow: Endpoint, alarm?: Endpoint): Promise<World> {
  const w = withAlarm(workflow, alarm);
  await w.start(RUN, OPTIONS);
  await w.drain();
  return w;
}

/** Rolls step 1 back once `ready` says so. */
const rollingBack = (ready: () => Response | undefined): Endpoint => {
  let undone = false;
  return () => {
    const refused = ready();
    if (refused) return refused;
    const answer = undone ? ok("{}") : rolledBack(1);
    undone = true;
    return answer;
  };
};

describe("a failureUrl elsewhere", () => {
  it("is told once, after the rollbacks, where the workflow is heard", async () => {
    const w = await fail(
      undoable(
        boom,
        rollingBack(() => undefined),
      ),
    );
    expect(asked(w)).toEqual([0, 0]);
    expect(told(w)).toEqual([{ at: 0, rollbacks: [[1, "done"]], pending: false }]);
    expect((await w.run(RUN)).failureFunction).toMatchObject({
      state: "CALLBACK_SUCCESS",
      responseBody: "noted",
    });
  });

  it("is told at once where there is nothing to roll back, and the workflow isn't asked", async () => {
    for (const second of [boom, inStep2(false)]) {
      const w = await fail(async (call, self) => {
        if (call.headers.get(HEADER.init) !== "true") return second();
        await self.append(runIdOf(call), [result(1)]);
        return capable();
      });
      expect(asked(w)).toEqual([]);
      expect(told(w)).toEqual([{ at: 0, rollbacks: [], pending: false }]);
    }
  });

  it("is told of a rollback of the step that has failed alone", async () => {
    const w = await fail(async (call, self) => {
      if (isFailure(call)) throw new Error("connect ECONNREFUSED");
      if (call.headers.get(HEADER.init) !== "true") return inStep2(true)();
      await self.append(runIdOf(call), [result(1)]);
      return capable();
    });
    expect(told(w)[0]).toEqual({ at: 0, rollbacks: [[2, "pending"]], pending: true });
  });

  it.each<[string, Endpoint]>([
    ["gives no answer", dead],
    ["is behind a maintenance page", () => page(200)],
    ["is behind a proxy that says so", () => page(503)],
    ["is behind a CDN that says so", () => page(522)],
  ])(
    "doesn't wait for an endpoint that %s, and is told again when it is asked no more",
    async (_name, gone) => {
      const w = await fail(undoable(boom, gone));
      expect(asked(w)).toEqual([0, 1000, 2000, 3000]);
      expect(told(w)).toEqual([
        { at: 0, rollbacks: [[1, "pending"]], pending: true },
        { at: 3000, rollbacks: [], pending: false },
      ]);
      const [first, second] = w.calls.filter(({ url }) => url === ALARM);
      expect(JSON.parse(second?.text ?? "").dlqId).toBe(JSON.parse(first?.text ?? "").dlqId);
      expect(second?.headers.get(HEADER.messageId)).not.toBe(first?.headers.get(HEADER.messageId));
      expect((await w.run(RUN)).failureFunction.state).toBe("CALLBACK_SUCCESS");
    },
  );

  it("is told with default waits at the same moment as the run fails", async () => {
    const w = withAlarm(undoable(dead, dead));
    await w.start(RUN, { [HEADER.failureCallback]: ALARM });
    await w.drain();
    const attempts = w.calls.filter((call) => call.url === APP && !isFailure(call));
    expect(told(w)[0]?.at).toBe((attempts.at(-1)?.at ?? 0) - START);
  });

  it("is told again with what was rolled back when the endpoint has come back", async () => {
    let away = true;
    const back = rollingBack(() => undefined);
    const w = withAlarm(undoable(boom, (call, self) => (away ? dead : back)(call, self)));
    await w.start(RUN, OPTIONS);
    await w.engine.idle();
    expect(told(w)).toMatchObject([{ at: 0, pending: true }]);
    away = false;
    await w.drain();
    expect(told(w).slice(1)).toEqual([{ at: 1000, rollbacks: [[1, "done"]], pending: false }]);
  });

  it("is told after a minute of rollbacks that take longer, and again when they have ended", async () => {
    let attempts = 0;
    const slow = () =>
      ++attempts < 3
        ? failed(500, "not yet", { "Retry-After": "3600", [HEADER.maxRetries]: "9" })
        : undefined;
    const w = await fail(undoable(boom, rollingBack(slow)));
    expect(told(w)).toEqual([
      { at: 60_000, rollbacks: [[1, "pending"]], pending: true },
      { at: 7_200_000, rollbacks: [[1, "done"]], pending: false },
    ]);
  });

  it("is told after a minute where the endpoint hangs", async () => {
    const w = withAlarm(undoable(boom, () => new Promise<Response>(() => {})));
    await w.start(RUN, OPTIONS);
    await until(() => asked(w).length === 1);
    w.clock.advance(60_000);
    await until(() => told(w).length === 1);
    expect(told(w)).toEqual([{ at: 60_000, rollbacks: [[1, "pending"]], pending: true }]);
    await w.engine.stop({ deadline: 0 });
  });

  it("that is down itself is told of the end alone", async () => {
    const answers = [page(503), page(503)];
    const w = withAlarm(undoable(boom, dead), () => answers.shift() ?? new Response("noted"));
    await w.start(RUN, { ...OPTIONS, "Upstash-Failure-Callback-Retry-Delay": "2500" });
    await w.drain();
    expect(told(w).map(({ at, pending }) => [at, pending])).toEqual([
      [0, true],
      [2500, true],
      [5000, false],
    ]);
  });

  // The clock jumps over the end of the lease of that step, which on PostgreSQL another engine could take then.
  it.skipIf(ON_POSTGRES)("isn't held up by a step that is still being carried out", async () => {
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    const planned = (target: number): StepRecord => ({ ...plan(target), rollback: true });
    const w = withAlarm(async (call, self) => {
      if (isFailure(call)) return ok("{}");
      if (historyOf(call).length === 1) {
        await self.append(runIdOf(call), [planned(1), planned(2)]);
        return capable();
      }
      if (historyOf(call).length === 2) return boom();
      await gate;
      return ok();
    });
    await w.start(RUN, OPTIONS);
    await until(async () => (await w.run(RUN)).workflowState === "RUN_FAILED");
    w.clock.advance(60_000);
    await until(() => told(w).length === 1);
    expect(asked(w)).toEqual([]);
    expect(told(w)[0]).toEqual({
      at: 60_000,
      rollbacks: [
        [2, "pending"],
        [1, "pending"],
      ],
      pending: true,
    });
    open();
    await w.drain();
    expect(told(w).at(-1)).toMatchObject({ pending: false });
  });

  it("that is called off while it waits takes the question for rollbacks back with it", async () => {
    const refused = () => failed(500, "not yet", { "Retry-After": "30", [HEADER.maxRetries]: "99" });
    const w = withAlarm(undoable(boom, refused));
    await w.start(RUN, OPTIONS);
    await w.engine.idle();
    const { dlqId } = await w.run(RUN);
    expect((await w.ask("DELETE", `/v2/workflows/dlq/callback/${dlqId}`)).status).toBe(200);
    await w.drain();
    expect([asked(w), told(w)]).toEqual([[0], []]);
  });

  it("can be told once more, with what is on record", async () => {
    let alarms = 0;
    const w = await fail(undoable(boom, dead), () => new Response("", { status: ++alarms > 1 ? 500 : 200 }));
    const { dlqId, failureFunction } = await w.run(RUN);
    expect(failureFunction.state).toBe("CALLBACK_FAIL");
    await w.ask("POST", `/v2/workflows/dlq/callback/${dlqId}`);
    await w.drain();
    expect(told(w).at(-1)).toMatchObject({ pending: false });
  });
});
