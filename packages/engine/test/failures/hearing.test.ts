import { HEADER, parseFailure } from "@perdure/core/protocol";
import { sampled } from "@perdure/test-support/sample";
import { describe, expect, it } from "vitest";
import { failing, NOT_AGAIN } from "../failing.ts";
import {
  APP,
  type Endpoint,
  failed,
  historyOf,
  isFailure,
  ok,
  result,
  SDK,
  START,
  sequence,
  type World,
  world,
} from "../harness.ts";
import { capable, HALVES, PAGES, page, rolledBack, undoable } from "../pages.ts";

const RUN = "wfr_1";
const QUICK = { [HEADER.retries]: "0", [HEADER.retryDelay]: "1000" };
const FROM_ELSEWHERE = { ...QUICK, [HEADER.failureCallback]: "https://alarm.test/" };
const boom = (): Response => failed(489, "boom", NOT_AGAIN);
const all: [string, () => Response][] = [
  ...PAGES.map((status): [string, () => Response] => [`a page's ${status}`, () => page(status)]),
  ...HALVES.map(([name, answer]): [string, () => Response] => [`an answer ${name}`, answer]),
];
const answers = sampled(all, 4);

/** Each of the first three of these requests is answered by somebody else. */
function behind(other: () => Response, which: (at: Parameters<Endpoint>[0]) => boolean, own: Endpoint) {
  let left = 3;
  const times: number[] = [];
  const endpoint: Endpoint = (call, self) => {
    if (!which(call)) return own(call, self);
    times.push(call.at - START);
    return left-- > 0 ? other() : own(call, self);
  };
  return { times, endpoint };
}

const isCancel = (call: Parameters<Endpoint>[0]): boolean =>
  call.headers.get(HEADER.callType) === "cancelCall";
const ask = (w: World, text: string) => w.ask("DELETE", `/v2/workflows/runs/${RUN}?cancel=${text}`);

describe("a report of a run's end isn't heard, and comes again also without retries, after", () => {
  it.each(answers)("%s: a failure's", async (_name, other) => {
    const { times, endpoint } = behind(other, isFailure, failing(boom));
    const w = world(endpoint);
    await w.start(RUN, QUICK);
    await w.drain();
    expect(times).toEqual([0, 1000, 2000, 3000]);
    expect((await w.run(RUN)).failureFunction).toMatchObject({
      state: "CALLBACK_SUCCESS",
      responseBody: '{"result":"released"}',
    });
  });

  it.each(answers)("%s: the question for rollbacks", async (_name, other) => {
    let undone = false;
    const end: Endpoint = () => {
      const answer = undone ? ok("{}") : rolledBack(1);
      undone = true;
      return answer;
    };
    const asked = (call: Parameters<Endpoint>[0]) => call.url === APP && isFailure(call);
    const { times, endpoint } = behind(other, asked, undoable(boom, end));
    const w = world((call, self) => (call.url === APP ? endpoint(call, self) : new Response("noted")));
    await w.start(RUN, FROM_ELSEWHERE);
    await w.drain();
    expect(times).toEqual([0, 1000, 2000, 3000, 3000]);
    expect((await w.run(RUN)).rollbacks).toMatchObject([{ stepId: 1, state: "done" }]);
  });

  it.each(answers)("%s: a cancellation's", async (_name, other) => {
    const own: Endpoint = (call) => (isCancel(call) ? ok('{"result":"cleaned"}') : capable("1, on-cancel"));
    const { times, endpoint } = behind(other, isCancel, async (call, self) => {
      if (call.headers.get(HEADER.init) === "true") await sequence(1)(call, self);
      return own(call, self);
    });
    const w = world(endpoint);
    await w.start(RUN, { ...QUICK, [HEADER.flowControlKey]: "k", [HEADER.flowControlValue]: "rate=1" });
    await w.engine.idle();
    expect((await ask(w, "true")).status).toBe(200);
    await w.drain();
    expect(times).toEqual([0, 1000, 2000, 3000]);
    expect((await w.run(RUN)).cancelFunction).toMatchObject({
      state: "CALLBACK_SUCCESS",
      responseBody: '{"result":"cleaned"}',
    });
  });
});

describe("a failure function", () => {
  it("that is behind a page for good has failed, and is there to be called again", async () => {
    let away = true;
    const w = world(failing(boom, () => (away ? page(200) : ok("{}"))));
    await w.start(RUN, QUICK);
    await w.drain();
    expect(w.calls.filter(isFailure)).toHaveLength(4);
    const [letter] = await w.deadLetters("?failureFunctionState=CALLBACK_FAIL");
    expect((await w.run(RUN)).failureFunction.errors).toHaveLength(4);
    expect((await w.run(RUN)).failureFunction.errors[0].error).toContain(HEADER.sdkVersion);
    away = false;
    await w.ask("POST", `/v2/workflows/dlq/callback/${letter.dlqId}`);
    await w.drain();
    expect((await w.run(RUN)).failureFunction.state).toBe("CALLBACK_SUCCESS");
  });

  it.each(["more", "fewer"])(
    "has its own retries behind a page where it has %s than three",
    async (which) => {
      const retries = which === "more" ? 5 : 1;
      const w = world(failing(boom, () => page(401)));
      await w.start(RUN, { ...QUICK, "Upstash-Failure-Callback-Retries": String(retries) });
      await w.drain();
      expect(w.calls.filter(isFailure)).toHaveLength(1 + Math.max(3, retries));
    },
  );

  it("waits as long as a page asks it to", async () => {
    const wall = () => new Response("slow down", { status: 429, headers: { "Retry-After": "120" } });
    const { times, endpoint } = behind(wall, isFailure, failing(boom));
    const w = world(endpoint);
    await w.start(RUN, QUICK);
    await w.drain();
    expect(times).toEqual([0, 120_000, 240_000, 360_000]);
  });

  it("of a run whose endpoint has never answered isn't heard by a page either", async () => {
    const { times, endpoint } = behind(
      () => page(200),
      isFailure,
      (call) => (isFailure(call) ? ok("{}") : Promise.reject(new Error("ECONNREFUSED"))),
    );
    const w = world(endpoint);
    await w.start(RUN, QUICK);
    await w.drain();
    expect(times).toHaveLength(4);
  });

  it.each(PAGES.filter((status) => status < 300))(
    "of an endpoint that never sends the header is heard by a %i, as ever",
    async (status) => {
      const w = world((call) => page(isFailure(call) ? status : 500));
      await w.start(RUN, { ...QUICK, [HEADER.featureSet]: "LazyFetch,InitialBody" });
      await w.drain();
      expect(w.calls.filter(isFailure)).toHaveLength(1);
      expect((await w.run(RUN)).failureFunction.state).toBe("CALLBACK_SUCCESS");
    },
  );

  it.each<[number, number]>([
    [404, 1],
    [500, 1],
    [502, 4],
    [521, 4],
  ])("of such an endpoint, behind a %i, is called %i times", async (status, times) => {
    const w = world(() => page(status));
    await w.start(RUN, { ...QUICK, [HEADER.featureSet]: "LazyFetch,InitialBody" });
    await w.drain();
    expect(w.calls.filter(isFailure)).toHaveLength(times);
  });
});

describe("in the middle of a run", () => {
  const second = (call: Parameters<Endpoint>[0]) => !isFailure(call) && historyOf(call).length === 2;

  it.each(PAGES)("a page's %i is no answer: the delivery is made again", async (status) => {
    const { times, endpoint } = behind(() => page(status), second, sequence(2));
    const w = world(endpoint);
    await w.start(RUN, { [HEADER.retryDelay]: "1000" });
    await w.drain();
    expect(times).toEqual([0, 1000, 2000, 3000]);
    expect((await w.run(RUN)).workflowState).toBe("RUN_SUCCESS");
  });

  it.each(PAGES.filter((status) => status < 500))(
    "a page's %i has begun no step: the delivery is made again without retries, too",
    async (status) => {
      const { times, endpoint } = behind(() => page(status), second, sequence(2));
      const w = world(endpoint);
      await w.start(RUN, QUICK);
      await w.drain();
      expect(times).toHaveLength(4);
      expect((await w.run(RUN)).workflowState).toBe("RUN_SUCCESS");
    },
  );

  it.each([500, 502, 504, 524])("behind a %i a step may have begun: retries count", async (status) => {
    const { times, endpoint } = behind(() => page(status), second, sequence(2));
    const w = world(endpoint);
    await w.start(RUN, QUICK);
    await w.drain();
    expect(times).toHaveLength(1);
    expect((await w.run(RUN)).workflowState).toBe("RUN_FAILED");
  });

  it("a page that stays fails the run, and not as stalled", async () => {
    const w = world((call, self) => (second(call) ? page(200) : sequence(2)(call, self)));
    await w.start(RUN, QUICK);
    await w.drain();
    const report = parseFailure(w.calls.find(isFailure)?.text ?? "");
    expect(report).toMatchObject({ failStatus: 200, where: "delivery", failBody: "<title>Log in</title>" });
    expect(report.failResponse).toMatch(/isn't the workflow's.*Upstash-Workflow-Sdk-Version/);
    expect((await w.deadLetters())[0].error).toBe(report.failResponse);
  });

  it("an endpoint that has failed with the header is known by it, already in its first delivery", async () => {
    const first = [failed(500, "not yet"), page(200)];
    const w = world((call, self) => first.shift() ?? sequence(1)(call, self));
    await w.start(RUN, { [HEADER.retryDelay]: "1000", [HEADER.featureSet]: "" });
    await w.drain();
    expect((await w.run(RUN)).workflowState).toBe("RUN_SUCCESS");
  });

  it("one whose client names no features is known by the header, too", async () => {
    const { times, endpoint } = behind(
      () => page(200),
      second,
      async (call, self) => {
        // The first answer is in before the second delivery goes out.
        if (historyOf(call).length > 1) return sequence(2)(call, self);
        await self.append(RUN, [result(1)], { [HEADER.delay]: "1s" });
        return ok();
      },
    );
    const w = world(endpoint);
    await w.start(RUN, { ...QUICK, [HEADER.featureSet]: "" });
    await w.drain();
    expect(times).toHaveLength(4);
    expect((await w.run(RUN)).workflowState).toBe("RUN_SUCCESS");
  });

  it("an empty header is none", async () => {
    const empty = () => new Response("", { headers: { [HEADER.sdkVersion]: "" } });
    const { times, endpoint } = behind(empty, second, sequence(2));
    const w = world(endpoint);
    await w.start(RUN, QUICK);
    await w.drain();
    expect(times).toHaveLength(4);
  });

  it("what a page says beside its status is not the workflow's", async () => {
    const forged = {
      [HEADER.nonRetryable]: "true",
      [HEADER.maxRetries]: "9",
      [HEADER.capabilities]: "1, on-cancel",
    };
    const other = () => new Response("no", { status: 489, headers: forged });
    const { times, endpoint } = behind(other, second, sequence(2));
    const w = world(endpoint);
    await w.start(RUN, QUICK);
    await w.drain();
    expect(times).toHaveLength(4);
    expect((await w.store.runs({ count: 1 })).items[0]?.run.capabilities).toBeUndefined();
  });

  it("the workflow's own answer without a success is heard as ever", async () => {
    const w = world((call, self) =>
      second(call) ? new Response("", { status: 404, headers: SDK }) : sequence(2)(call, self),
    );
    await w.start(RUN, QUICK);
    await w.drain();
    expect(w.calls.filter(second)).toHaveLength(1);
  });
});
