import { HEADER } from "@perdure/core/protocol";
import { ON_POSTGRES } from "@perdure/test-support/mode";
import { describe, expect, it } from "vitest";
import { failed, ok, START, until, type World, world } from "../harness.ts";
import { callStep, THIRD, to, workflow } from "../steps.ts";

const flow = (value: string, key = "k"): Record<string, string> => ({
  [HEADER.flowControlKey]: key,
  [HEADER.flowControlValue]: value,
});

const publish = (w: World, to: string, headers: Record<string, string>) =>
  w.ask("POST", `/v2/publish/https://a.test/${to}`, { headers });

const times = (w: World) => w.calls.map((call) => call.at - START);

/** An endpoint that answers when it is told to. */
function held() {
  const open: (() => void)[] = [];
  let most = 0;
  return {
    open,
    most: () => most,
    endpoint: () =>
      new Promise<Response>((resolve) => {
        open.push(() => resolve(ok()));
        most = Math.max(most, open.length);
      }),
    /** Answers one after the other until `count` have been answered. */
    async answer(count: number) {
      for (let at = 0; at < count; at++) {
        await until(() => open.length > 0);
        open.shift()?.();
      }
    },
  };
}

describe("flow control", () => {
  it.each([1, 3])("keeps to %i at once, in the order in which they came", async (most) => {
    const gate = held();
    const w = world(gate.endpoint);
    for (let at = 0; at < 10; at++) await publish(w, String(at), flow(`parallelism=${most}`));
    await until(() => gate.open.length === most);
    await gate.answer(10);
    await w.engine.idle();
    expect(gate.most()).toBe(most);
    // On PostgreSQL, one that has just come may take a free place before those that wait.
    if (ON_POSTGRES) return;
    // Of those that are let go together, any one may arrive first.
    w.calls.forEach((call, at) => {
      expect(Math.abs(Number(call.url.slice(-1)) - at)).toBeLessThan(most);
    });
  });

  it("keeps to so many in a period, by the clock", async () => {
    const w = world(() => ok());
    for (let at = 0; at < 7; at++) await publish(w, String(at), flow("rate=3, period=1m"));
    await w.drain();
    expect(times(w)).toEqual([0, 0, 0, 60_000, 60_000, 60_000, 120_000]);
  });

  it("keeps to both", async () => {
    const gate = held();
    const w = world(gate.endpoint);
    for (let at = 0; at < 5; at++) await publish(w, String(at), flow("parallelism=2,rate=3,period=10s"));
    await until(() => gate.open.length === 2);
    await gate.answer(3);
    await w.engine.idle();
    expect(times(w)).toEqual([0, 0, 0]);
    w.clock.advance(10_000);
    await until(() => gate.open.length === 2);
    expect(times(w)).toEqual([0, 0, 0, 10_000, 10_000]);
    await gate.answer(2);
    await w.engine.idle();
  });

  it("of one key holds up no other", async () => {
    const gate = held();
    const w = world(gate.endpoint);
    for (const key of ["a", "a", "b", "b"]) await publish(w, key, flow("parallelism=1", key));
    await publish(w, "free", {});
    await until(() => gate.open.length === 3);
    expect(w.calls.map((call) => call.url.slice(15)).sort()).toEqual(["a", "b", "free"]);
    await gate.answer(5);
    await w.engine.idle();
    expect(w.calls).toHaveLength(5);
  });

  it("counts retries, and goes on with others meanwhile", async () => {
    const w = world((call) => (call.url.endsWith("bad") ? failed(500, "x") : ok()));
    const headers = { ...flow("parallelism=1"), [HEADER.retries]: "2", [HEADER.retryDelay]: "60000" };
    await publish(w, "bad", headers);
    await publish(w, "good", headers);
    await w.drain();
    expect(w.calls.map((call) => [call.url.slice(15), call.at - START])).toEqual([
      ["bad", 0],
      ["good", 0],
      ["bad", 60_000],
      ["bad", 120_000],
    ]);
  });

  it("takes the latest limits, for those that wait too", async () => {
    const gate = held();
    const w = world(gate.endpoint);
    for (let at = 0; at < 4; at++) await publish(w, String(at), flow("parallelism=1"));
    await until(() => gate.open.length === 1);
    await publish(w, "4", flow("parallelism=4"));
    await until(() => gate.open.length === 4);
    await gate.answer(5);
    await w.engine.idle();
    expect(w.calls).toHaveLength(5);
  });

  it("lets go what waits for something that is canceled", async () => {
    const gate = held();
    const w = world(gate.endpoint);
    const first = await publish(w, "0", flow("parallelism=1"));
    const second = await publish(w, "1", flow("parallelism=1"));
    await publish(w, "2", flow("parallelism=1"));
    await until(() => gate.open.length === 1);
    await w.ask("DELETE", `/v2/messages/${second.body.messageId}`);
    await w.ask("DELETE", `/v2/messages/${first.body.messageId}`);
    await until(() => gate.open.length === 2);
    expect(w.calls.map((call) => call.url.slice(-1))).toEqual(["0", "2"]);
    for (const open of gate.open) open();
    await w.engine.idle();
  });

  it("of a run holds for its deliveries, and for its calls only their own does", async () => {
    const w = world((call, self) =>
      call.url === THIRD
        ? new Response("x")
        : workflow(callStep({ options: flow("rate=1,period=1h", "calls") }))(call, self),
    );
    await w.start("wfr_1", flow("rate=1,period=1m", "runs"));
    await w.start("wfr_2", flow("rate=1,period=1m", "runs"));
    await w.drain();
    const at = (url: string) => to(w, url).map((call) => call.at - START);
    expect(at(THIRD)).toEqual([0, 3_600_000]);
    // The starts, the answers and the last deliveries of both.
    expect(at("https://app.test/wf")).toEqual([0, 60_000, 120_000, 180_000, 3_600_000, 3_660_000]);
    expect(await w.run("wfr_1")).toMatchObject({ workflowState: "RUN_SUCCESS", flowControlKey: "runs" });
  });

  it("is shown with a message", async () => {
    const w = world(() => ok());
    const headers = { ...flow("parallelism=3, rate=10, period=1d"), [HEADER.delay]: "1h" };
    const { body } = await publish(w, "x", headers);
    expect((await w.ask("GET", `/v2/messages/${body.messageId}`)).body).toMatchObject({
      flowControlKey: "k",
      parallelism: 3,
      rate: 10,
      period: 86_400,
    });
  });

  it.each([
    ["parallelism=0", "from 1 on"],
    ["rate=x", "from 1 on"],
    ["period=1m", "a parallelism, a rate or both"],
    ["speed=3", 'got "speed=3"'],
    ["rate=1,period=8d", "up to 7 days"],
    ["rate=1,period=0", "up to 7 days"],
  ])("with %s is refused", async (value, reason) => {
    const answer = await publish(world(), "x", flow(value));
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringContaining(reason) } });
  });
});
