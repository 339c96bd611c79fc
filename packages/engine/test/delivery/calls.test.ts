import { expect, it } from "vitest";
import { APP, type Endpoint, ok, runIdOf, until, type World, world } from "../harness.ts";
import { app, callStep, to, workflow } from "../steps.ts";

const never: Endpoint = () => new Promise<Response>(() => {});
const third = (at: number): string => `https://third${at}.test/`;
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
};
const called = (w: World): number => w.calls.filter(({ url }) => url.startsWith("https://third")).length;

it("calls that take their time hold up no run, until there are too many of them", async () => {
  const endpoint: Endpoint = (call, self) => {
    if (call.url.startsWith("https://third")) return never(call, self);
    return call.url === APP ? never(call, self) : ok();
  };
  const w = world(endpoint, { concurrency: 3, calls: 5 });
  const publish = () => w.ask("POST", "/v2/publish/https://a.test/");
  const call = (at: number) =>
    w.ask("POST", `/v2/publish/${third(at)}`, {
      headers: {
        "Upstash-Workflow-RunId": "wfr_0",
        "Upstash-Workflow-CallType": "toCallback",
        "Upstash-Callback": APP,
        "Upstash-Callback-Forward-Upstash-Workflow-StepId": String(at),
      },
    });
  // Of the three deliveries at once, the run's first is one for as long as it likes.
  await w.start("wfr_0");
  for (let at = 1; at <= 6; at++) await call(at);
  await until(() => called(w) === 6);
  await publish();
  await until(() => to(w, "https://a.test/").length === 1);
  for (let at = 7; at <= 9; at++) await call(at);
  await until(() => called(w) === 7);
  await publish();
  await settle();
  expect([called(w), to(w, "https://a.test/").length]).toEqual([7, 1]);
});

it("one third party that is slow leaves room for the calls to others", async () => {
  const w = world(
    app({
      [APP]: (call, self) => {
        const at = Number(runIdOf(call).slice(4)) < 20 ? 1 : 2;
        return workflow(callStep({ url: third(at) }))(call, self);
      },
      [third(1)]: never,
      [third(2)]: () => ok(),
    }),
    { calls: 10 },
  );
  for (let at = 0; at < 20; at++) await w.start(`wfr_${at}`);
  await until(() => to(w, third(1)).length === 5);
  await settle();
  expect(to(w, third(1))).toHaveLength(5);
  for (let at = 20; at < 40; at++) await w.start(`wfr_${at}`);
  await until(() => to(w, third(2)).length === 20);
  expect(to(w, third(1))).toHaveLength(5);
});
