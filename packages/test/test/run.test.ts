import { Client, serve, type WorkflowContext, WorkflowNonRetryableError } from "@perdure/core";
import { describe, expect, expectTypeOf, it, vi } from "vitest";
import { RunFailedError, type TestEngine, testEngine } from "../src/index.ts";
import { approval, order } from "./order.ts";

const payload = { id: "1", card: "4242" };
const MODES = [
  ["inline", {}],
  ["one step a delivery", { inline: false }],
] as const;

describe.each(MODES)("a run, %s", (_mode, mode) => {
  it("ends by itself, whatever time it takes", async () => {
    await using t = await testEngine({ ...mode, workflows: { "/order": order } });
    const begin = t.clock.now();
    const run = await t.trigger(order, payload);
    const result = await run.result();
    expectTypeOf(result).toEqualTypeOf<{ charge: string }>();
    expect(result).toEqual({ charge: "ch_1" });
    expect(t.clock.now() - begin).toBe(2 * 3_600_000);
    expect(run.state).toBe("RUN_SUCCESS");
  });

  it.each<[string, unknown, string]>([
    ["an object without a prototype", Object.create(null), "a value that can't be read"],
    ["an object with a bigint", { id: 7n }, '{"id":"7"}'],
  ])("shows whatever a step throws: %s", async (_name, thrown, said) => {
    const odd = serve((context) =>
      context.run("charge", () => Promise.reject(thrown), { retries: 0, onExhausted: "throw" }),
    );
    await using t = await testEngine({ ...mode, workflows: { "/odd": odd } });
    const run = await t.trigger("/odd", {});
    expect((await run.end()).error?.message).toBe(said);
    expect(run.steps).toMatchObject([{ name: "charge", attempts: [{ error: said }] }]);
  });

  it("retries a mocked step at its times, and shows each attempt", async () => {
    await using t = await testEngine({ ...mode, workflows: { "/order": order } });
    const run = await t.trigger(order, payload);
    run.mock("charge", { error: new Error("declined"), times: 2 });
    run.mock("charge", { result: { id: "mocked" } });
    run.mock("ship", { result: undefined });
    expect(await run.result()).toEqual({ charge: "mocked" });
    expect(run.steps[0]).toMatchObject({
      name: "charge",
      state: "done",
      attempts: [{ at: 0, error: "declined" }, { at: 12_000, error: "declined" }, { at: 160_000 }],
      endedAt: 160_000,
      result: { id: "mocked" },
    });
    expect(run.timeline()).toMatchSnapshot();
  });

  it("stops where the test wants to look, and goes on with the next wait", async () => {
    const seen: string[] = [];
    const three = serve(async (context) => {
      for (const name of ["a", "b", "c"]) await context.run(name, () => void seen.push(name));
      await context.sleep("nap", 60);
      return seen.join("");
    });
    await using t = await testEngine({ ...mode, workflows: { "/three": three } });
    const run = await t.trigger(three, undefined);
    expect(seen).toEqual([]);
    await run.until({ step: "b" });
    expect(seen).toEqual(["a", "b"]);
    await run.until({ step: "nap" });
    expect(seen).toEqual(["a", "b", "c"]);
    expect(run.steps.map(({ name, state }) => [name, state])).toEqual([
      ["a", "done"],
      ["b", "done"],
      ["c", "done"],
      ["nap", "waiting"],
    ]);
    expect(await run.result()).toBe("abc");
  });

  it("fails with its error, its rollbacks, and what the failure function got and answered", async () => {
    await using t = await testEngine({ ...mode, workflows: { "/order": order } });
    const run = await t.trigger(order, payload, { retries: 1 });
    run.mock("ship", { error: new WorkflowNonRetryableError("no van") });
    await expect(run.result()).rejects.toThrow(`The run ${run.id} failed at step "ship": no van`);
    await expect(run.result()).rejects.toThrow(RunFailedError);
    expect(run.failure).toMatchObject({
      received: { failResponse: "no van", step: { name: "ship" }, context: { requestPayload: payload } },
      attempts: 1,
      answer: { told: "ship: no van" },
      error: undefined,
    });
    expect(run.rollbacks).toMatchObject([{ stepName: "charge", state: "done" }]);
    expect(run.timeline()).toMatchSnapshot();
    expect((await run.end()).error).toMatchObject({ message: "no van" });
  });

  it("gets events, also typed ones, and tells what it waits for", async () => {
    const waits = serve(async (context) => {
      const first = await context.waitForEvent("first", approval, { timeout: "3d" });
      const second = await context.waitForEvent<number>("second", "count");
      return [first.eventData?.ok, second.eventData];
    });
    await using t = await testEngine({ ...mode, workflows: { "/waits": waits } });
    const run = await t.trigger(waits, undefined);
    await run.until.waiting("approval");
    await run.notify(approval, { ok: true });
    await run.until.waiting("second");
    await run.notify("count", 7);
    expect(await run.result()).toEqual([true, 7]);
    // @ts-expect-error ok is a boolean
    await expect(run.notify(approval, { ok: "yes" })).rejects.toMatchObject({ code: "invalid_event" });
  });

  it("gets the time-out of a wait that nothing ends, and mocks waits", async () => {
    const waits = serve(async (context) => {
      const first = await context.waitForEvent("first", "never", { timeout: "3d" });
      const second = await context.waitForEvent("second", "soon");
      const third = await context.waitForEvent("third", "late", { timeout: "1d" });
      return [first.timeout, second.eventData, third.timeout];
    });
    await using t = await testEngine({ ...mode, workflows: { "/waits": waits } });
    const run = await t.trigger(waits, undefined);
    run.mock("second", { result: { ok: true } });
    run.mock("third", { timeout: true });
    expect(await run.result()).toEqual([true, { ok: true }, true]);
    expect(run.steps[2]?.endedAt).toBe(4 * 86_400_000);
  });

  it("gets requests to its webhook", async () => {
    const pays = serve(async (context) => {
      const webhook = await context.createWebhook("address");
      const hit = await context.waitForWebhook("paid", webhook, "1h", approval);
      return hit.timeout ? "late" : [hit.request.method, hit.eventData.ok];
    });
    await using t = await testEngine({ ...mode, workflows: { "/pays": pays } });
    const run = await t.trigger(pays, undefined);
    await expect(run.webhook("address")).rejects.toThrow('has created no webhook "address"');
    await run.until({ step: "address" });
    expect((await run.webhook("address", { body: { ok: true } })).status).toBe(200);
    expect(await run.result()).toEqual(["POST", true]);
  });

  it("makes its calls to mocks, which can fail, be slow, and answer each time differently", async () => {
    const url = "https://rates.example.com/eur";
    const calls = serve(async (context) => {
      const rate = await context.call<{ rate: number }>("rate", { url, retries: 3 });
      const sent = await context.call("send", { url: `${url}/sent`, method: "POST", body: "a" });
      return [rate.body.rate, sent.status, sent.body];
    });
    await using t = await testEngine({ ...mode, workflows: { "/calls": calls } });
    t.mockCall(url, { timeout: true }, { times: 1 });
    t.mockCall(url, { error: new Error("refused") }, { times: 1 });
    t.mockCall(url, () => ({ body: { rate: 2 } }));
    t.mockCall(/sent$/, ({ body }) => new Response(`${body}b`, { status: 201 }), { method: "post" });
    const run = await t.trigger(calls, undefined);
    expect(await run.result()).toEqual([2, 201, "ab"]);
    expect(t.calls.map(({ method, status }) => [method, status])).toEqual([
      ["GET", undefined],
      ["GET", undefined],
      ["GET", 200],
      ["POST", 201],
    ]);
  });

  it("mocks calls and child runs by the names of their steps", async () => {
    const parent = serve(async (context) => {
      const rate = await context.call("rate", { url: "https://a.example/" });
      const teapot = await context.call("teapot", { url: "https://a.example/" });
      return [rate, teapot.status];
    });
    await using t = await testEngine({ ...mode, workflows: { "/parent": parent } });
    const run = await t.trigger(parent, undefined);
    run.mock("rate", { result: { rate: 2 } });
    run.mock("teapot", { result: { status: 418 } });
    expect(await run.result()).toEqual([{ status: 200, header: {}, body: { rate: 2 } }, 418]);
  });

  it("can be cancelled", async () => {
    await using t = await testEngine({ ...mode, workflows: { "/order": order } });
    const run = await t.trigger(order, payload);
    await run.until.waiting("wait for the van");
    await run.cancel();
    expect((await run.end()).workflowState).toBe("RUN_CANCELED");
    await expect(run.result()).rejects.toThrow("was cancelled");
  });

  it("tells the repetitions of a step apart", async () => {
    const loop = serve(async (context) => {
      let sum = 0;
      for (let i = 0; i < 3; i++) sum += await context.run("add", () => 1);
      return sum;
    });
    await using t = await testEngine({ ...mode, workflows: { "/loop": loop } });
    const run = await t.trigger(loop, undefined);
    run.mock("add", { result: 10, index: 1 });
    await run.until({ step: "add", index: 0 });
    expect(run.steps.map(({ index, state }) => [index, state])).toEqual([[0, "done"]]);
    expect(await run.result()).toBe(12);
  });
});

describe("a wait that can't end", () => {
  it("says that the run has ended, and its steps", async () => {
    await using t = await testEngine({ workflows: { "/order": order } });
    const run = await t.trigger(order, payload);
    await expect(run.until({ step: "shop" })).rejects.toThrow(
      /^The run wfr_\S+ ended before step "shop" \(RUN_SUCCESS\)\. Its steps: "charge", "wait for the van", "ship"\.$/,
    );
    expect(await run.result()).toEqual({ charge: "ch_1" });
  });

  it("says what each run waits for", async () => {
    const hangs = serve((context) => context.run("hang", () => new Promise<number>(() => {})));
    const waits = serve((context) => context.waitForEvent("approve", "approval", { timeout: "1d" }));
    await using t = await testEngine({ timeout: "0.5s", workflows: { "/hangs": hangs, "/waits": waits } });
    const [one, two] = [await t.trigger(hangs, undefined), await t.trigger(waits, undefined)];
    await expect(one.result()).rejects.toThrow(
      `The end of the run ${one.id} didn't happen within 500 ms of real time.\n` +
        `Run ${one.id}, 0 s after its start:\n` +
        `  - step "hang" is at work since +0 s (attempt 1): its promise doesn't settle\n` +
        `Run ${two.id}, 0 s after its start:\n` +
        `  - step "approve" waits for the event "approval" since +0 s: run.notify sends it`,
    );
  });

  it("says why the last attempt has failed", async () => {
    await using t = await testEngine({ timeout: "15s", workflows: { "/fails": serve(fails) } });
    async function fails(): Promise<never> {
      await t.engine.flows.pause("stop");
      throw new Error("no luck");
    }
    const run = await t.trigger("/fails", 1, { flowControl: { key: "stop", parallelism: 1 } });
    await expect(run.result()).rejects.toThrow(
      /it waits for no step\. Does the workflow await something else\?\n {2}- its last attempt failed: no luck$/,
    );
  });

  it("doesn't wait for ever for a run that flow control holds back", async () => {
    await using t = await testEngine({ timeout: "15s", workflows: { "/order": order } });
    await t.engine.flows.pause("stop");
    const run = await t.trigger(order, payload, { flowControl: { key: "stop", parallelism: 1 } });
    await expect(run.result()).rejects.toThrow(
      /didn't happen within ten years of the test's time\.\nRun wfr_/,
    );
  });
});

describe("a mock", () => {
  it("that stays unused fails the wait for the end, and the test", async () => {
    const t = await testEngine({ workflows: { "/order": order } });
    t.mockCall("https://a.example/", { status: 204 });
    const run = await t.trigger(order, payload);
    run.mock("chrage", { result: 1 });
    run.mock("ship", { result: undefined, times: 2 });
    const unused = `Unused in the test: the mock of calls to https://a.example/ was used 0 of at least 1 times; run ${run.id}: the mock of step "chrage" was used 0 of at least 1 times, the mock of step "ship" was used 1 of 2 times (its steps: "charge", "wait for the van", "ship").`;
    await expect(run.result()).rejects.toThrow(unused);
    await expect(t.close()).rejects.toThrow(unused);
  });

  it("that stays unused doesn't hide why the run has failed", async () => {
    await using t = await testEngine({ workflows: { "/order": order } });
    const run = await t.trigger(order, payload, { retries: 0 });
    run.mock("chrage", { result: 1 });
    run.mock("charge", { error: new Error("declined") });
    await expect(run.result()).rejects.toThrow('(its steps: "charge"; it has failed: declined).');
  });

  it("of calls that stays unused fails the wait for the end of the last run", async () => {
    await using t = await testEngine({ workflows: { "/order": order } });
    t.mockCall("https://a.example/", { status: 204 });
    const [first, last] = [await t.trigger(order, payload), await t.trigger(order, payload, { delay: "1d" })];
    await first.result();
    await expect(last.end()).rejects.toThrow("Unused in the test: the mock of calls to https://a.example/");
  });

  it("that stays unused never replaces the error of a test that has failed", async () => {
    async function block(test: (t: TestEngine) => Promise<void>): Promise<unknown> {
      try {
        await using t = await testEngine({ workflows: { "/order": order } });
        t.mockCall("https://a.example/", { status: 204 });
        const run = await t.trigger(order, payload);
        run.mock("chrage", { result: 1 });
        await test(t);
        return undefined;
      } catch (error) {
        return error;
      }
    }
    const atOnce = await block(async () => expect(1).toBe(2));
    expect(String(atOnce)).toContain("expected 1 to be 2");
    const afterTheEnd = await block(async (t) => {
      await t.clock.advance("1d");
      expect(1).toBe(3);
    });
    expect(String(afterTheEnd)).toContain("expected 1 to be 3");
  });

  it("is refused where it comes too late, or says nothing", async () => {
    await using t = await testEngine({ workflows: { "/order": order } });
    const run = await t.trigger(order, payload);
    await run.until.waiting("wait for the van");
    expect(() => run.mock("wait for the van", { result: 1 })).toThrow("is under way already");
    expect(() => run.mock("ship", JSON.parse("{}"))).toThrow("needs a result, an error, or timeout: true");
    expect(() => run.mock("ship", { result: 1, times: 0 })).toThrow("times must be a whole number from 1 on");
    expect(() => run.mock("ship", { result: 1, index: -1 })).toThrow(
      "index must be a whole number from 0 on",
    );
    expect(() => run.mock("ship", JSON.parse('{"result":1,"tiems":2}'))).toThrow(
      'Unknown option "tiems" of the mock of step "ship". The options are times',
    );
    expect(() => run.mock("ship", JSON.parse('{"result":1,"timeout":true}'))).toThrow("needs a result, an");
    expect(() => run.fault("ship", "crash", { times: 0 })).toThrow("times must be a whole number from 1 on");
    expect(() => run.fault("ship", "crash", JSON.parse('{"time":1}'))).toThrow('Unknown option "time"');
    const url = "https://a.example/";
    expect(() => t.mockCall(url, JSON.parse('{"result":1}'))).toThrow(
      `Unknown option "result" of the mock of calls to ${url}.`,
    );
    expect(() => t.mockCall(url, {}, { times: 0.5 })).toThrow("times must be a whole number from 1 on");
    expect(() => t.mockCall(url, {}, JSON.parse('{"verb":"PUT"}'))).toThrow(
      'Unknown option "verb" of mockCall',
    );
  });

  it("is missing where a call has none: the wait fails at once", async () => {
    const calls = serve((context) => context.call("rate", { url: "https://a.example/rate" }));
    await using t = await testEngine({ workflows: { "/calls": calls } });
    const run = await t.trigger(calls, undefined);
    t.mockCall(/rates/, { body: 1 }, { method: "POST" });
    await expect(run.result()).rejects.toThrow(
      'No mock answers GET https://a.example/rate. Add one before the run reaches it: t.mockCall("https://a.example/rate", { body: … }). Mocked: POST /rates/ (used 0 times).',
    );
  });

  it("of calls can be one Response for all of them, and a global expression", async () => {
    const calls = serve(async (context) => {
      const answers = [1, 2, 3].map((n) => context.call(`call ${n}`, { url: `https://a.example/${n}` }));
      return (await Promise.all(answers)).map(({ body }) => body);
    });
    await using t = await testEngine({ workflows: { "/calls": calls } });
    const same = new Response("yes");
    t.mockCall(/example/g, () => same);
    const run = await t.trigger(calls, undefined);
    expect(await run.result()).toEqual(["yes", "yes", "yes"]);
  });

  it("can be a time-out: the step's delivery gets no answer", async () => {
    await using t = await testEngine({ workflows: { "/order": order } });
    const run = await t.trigger(order, payload);
    run.mock("charge", { timeout: true, times: 1 });
    expect(await run.result()).toEqual({ charge: "ch_1" });
    expect(run.steps[0]?.attempts).toHaveLength(2);
  });
});

it("writes nothing to the console, unless it is told to", async () => {
  const spies = (["error", "warn", "info", "log"] as const).map((name) =>
    vi.spyOn(console, name).mockImplementation(() => {}),
  );
  const lines = () => spies.flatMap((spy) => spy.mock.calls).length;
  try {
    for (const verbose of [false, true]) {
      await using t = await testEngine({ verbose, workflows: { "/order": order } });
      const run = await t.trigger(order, payload);
      run.mock("charge", { error: new Error("declined") });
      await expect(run.result()).rejects.toThrow("declined");
      expect(lines() > 0).toBe(verbose);
    }
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
});

it("types payloads", async () => {
  await using t = await testEngine({ workflows: { "/order": order } });
  const wrong = async () => {
    // @ts-expect-error the card is missing
    await t.trigger(order, { id: "1" });
  };
  expect(wrong).toBeTypeOf("function");
  const none = serve(async (_: WorkflowContext<undefined>) => 1);
  await expect(t.trigger(none)).rejects.toThrow("testEngine doesn't serve the workflow");
});

describe("a client that waits for a run", () => {
  it("lets time pass: the test's, and one of the application", async () => {
    await using t = await testEngine({ workflows: { "/order": order } });
    const run = await t.trigger(order, payload);
    const { workflowState } = await t.client.runs.wait(run.id, { timeout: "1m" });
    expect(workflowState).toBe("RUN_SUCCESS");
    const url = "https://app.perdure.test/order";
    const [started] = await t.inside(() => new Client().trigger([{ url, body: payload }], { wait: true }));
    expect(started).toMatchObject({ result: { charge: "ch_1" } });
  });

  it("fails as the test's own waits do, and for an unknown run", async () => {
    const waits = serve((context: WorkflowContext<undefined>) =>
      context.waitForEvent("approval", "ok", { timeout: "7000d" }),
    );
    await using t = await testEngine({ timeout: "0.5s", workflows: { "/waits": waits } });
    const run = await t.trigger(waits);
    await expect(t.client.runs.wait(run.id)).rejects.toThrow(/didn't happen within.*event "ok"/s);
    await expect(t.client.runs.wait("wfr_none")).rejects.toThrow('The engine knows no run "wfr_none"');
  });
});
