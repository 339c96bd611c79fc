import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { HEADER } from "@perdure/core/protocol";
import { expect, it } from "vitest";
import { EngineSpans } from "../../src/cli/engine-spans.ts";
import { ChosenIds, runSpanContext } from "../../src/cli/span-ids.ts";
import { ManualClock } from "../../src/rules/clock.ts";
import type { EngineEvent } from "../../src/rules/event.ts";
import { APP, type Endpoint, ok, result, runIdOf, START, until, world } from "../harness.ts";
import { callMessage, invokeMessage } from "../inline/asks.ts";
import { asksFor, inline, sleeps, waits } from "../inline/invocation.ts";
import {
  type Act,
  app,
  CHILD,
  callStep,
  createHook,
  invokeStep,
  record,
  recordsOf,
  THIRD,
  waitStep,
  workflow,
} from "../steps.ts";

/** The real SDK, with an exporter in memory. */
function tracing(now?: () => number) {
  const exporter = new InMemorySpanExporter();
  const idGenerator = new ChosenIds();
  const provider = new TracerProvider({
    idGenerator,
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  });
  const engineSpans = new EngineSpans(provider.getTracer("test"), idGenerator, now);
  const spans = () =>
    exporter.getFinishedSpans().map((span) => ({
      name: span.name,
      id: span.spanContext().spanId,
      parent: span.parentSpanContext?.spanId,
      began: span.startTime[0] * 1000 + span.startTime[1] / 1e6,
      ms: span.duration[0] * 1000 + span.duration[1] / 1e6,
      error: span.status.message,
      attributes: span.attributes,
    }));
  return { engineSpans, spans };
}

/** The spans of an engine that has seen nothing but this event. */
function spansOf(event: EngineEvent) {
  const { engineSpans, spans } = tracing();
  engineSpans.observe(event, "ann");
  return spans();
}

const runId = "wfr_1";
const run = runSpanContext(runId).spanId;
const attempt = { messageId: "msg_1", kind: "step", url: "https://a.test/wf", runId, step: "pay" } as const;
const failed = {
  ...attempt,
  ...({ type: "failed", planned: false, attempt: 1, status: 500, ms: 5 } as const),
  ...({ error: "declined", dlqId: "1-1", failedStep: "pay" } as const),
};

it("a wait has its true begin, also when another engine has seen it begin", () => {
  const waitingSince = Date.now() - 86_400_000;
  const recorded = {
    type: "step.recorded",
    runId,
    step: "approval",
    stepType: "Wait",
    recordKey: "result:2",
  } as const;
  const [wait] = spansOf({ ...recorded, waitingSince });
  expect(wait).toMatchObject({ name: "Wait approval", parent: run, began: waitingSince });
  expect(spansOf({ ...recorded, waitingSince })[0]?.id).toBe(wait?.id);
  expect(spansOf({ ...recorded, stepType: "Run" })).toEqual([]);
});

it.each([
  [{ type: "run.completed", runId, ms: 86_400_000 }, undefined],
  [{ type: "run.canceled", runId, ms: 86_400_000 }, undefined],
  [{ type: "run.expired", runId, ms: 86_400_000, error: "too long", dlqId: "1-1" }, "too long"],
  [{ ...failed, runMs: 86_400_000 }, "declined"],
] satisfies [EngineEvent, string | undefined][])(
  "a run has its true begin, whatever ends it: %o",
  (event, error) => {
    const whole = spansOf(event).find(({ name }) => name === "run");
    expect(whole).toMatchObject({ id: run, ms: 86_400_000, error });
  },
);

it("a failed message of no run ends none", () => {
  expect(spansOf({ ...failed, runId: undefined }).map(({ name }) => name)).toEqual(["deliver /wf"]);
});

/** A traced engine. `waitsOf` gives the waits of a run: their names, begins and ends, in milliseconds after the start. */
function traced(endpoint: Endpoint) {
  const clock = new ManualClock(START);
  const { engineSpans, spans } = tracing(() => clock.now());
  const w = world(endpoint, { clock, onEvent: (event) => engineSpans.observe(event, "ann") });
  const waitsOf = (id: string) =>
    spans()
      .filter(({ name, attributes }) => attributes["perdure.run.id"] === id && !/^(deliver |run$)/.test(name))
      .map(({ name, began, ms, parent }) => {
        expect(parent).toBe(runSpanContext(id).spanId);
        return [name, began - START, began - START + ms];
      });
  return { w, spans, waitsOf };
}

it("every wait of a run with one step in each delivery has a span: sleeps, a call, a webhook, an event, a child", async () => {
  const nap: Act = (at) =>
    record(at, result(at.id, { stepType: "SleepFor", sleepFor: 5 }), { [HEADER.delay]: "5s" });
  const third: Endpoint = (_, self) => {
    self.clock.advance(20);
    return ok("fine");
  };
  const { w, waitsOf, spans } = traced(
    app({
      [APP]: workflow(
        nap,
        nap,
        callStep(),
        createHook,
        waitStep("hook", "1h", "WaitForWebhook"),
        waitStep("approval", "90s"),
        invokeStep("wfr_child"),
      ),
      [THIRD]: third,
      [CHILD]: workflow(nap),
    }),
  );
  await w.start("wfr_1", { [HEADER.delay]: "3s" });
  await w.drain(START + 8000);
  // The second sleep is ended early.
  w.clock.advance(1000);
  await w.ask("POST", "/v2/workflows/runs/wfr_1/wake");
  await w.engine.idle();
  w.clock.advance(100);
  await w.ask("POST", "/v2/workflows/hooks/defaultUser/wfr_1/hook", { token: null, body: "x" });
  await w.drain();
  expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  expect(waitsOf("wfr_1")).toEqual([
    ["delay", 0, 3000],
    ["SleepFor step1", 3000, 8000],
    ["SleepFor step2", 8000, 9000],
    ["Call step3", 9000, 9020],
    ["WaitForWebhook step5", 9020, 9120],
    ["Wait step6", 9120, 99_120],
    ["Invoke step7", 99_120, 104_120],
  ]);
  expect(waitsOf("wfr_child")).toEqual([["SleepFor step1", 99_120, 104_120]]);
  const ids = spans().map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

it("sleeps of a group have one span each, though their steps have one name", async () => {
  const { w, waitsOf, spans } = traced(async (call, self) => {
    const id = runIdOf(call);
    const last = recordsOf(call).at(-1);
    const nap = { stepName: "nap", stepType: "SleepFor", sleepFor: 5, concurrent: 2 } as const;
    if (!last)
      await self.append(
        id,
        [1, 2].map((targetStep) => result(0, { ...nap, targetStep, out: undefined })),
        {
          [HEADER.delay]: "5s",
        },
      );
    else if (last.targetStep) await self.append(id, [result(last.targetStep, nap)]);
    else if (recordsOf(call).filter(({ stepId }) => stepId > 0).length === 2) await self.end(id);
    return ok();
  });
  await w.start("wfr_1");
  await w.drain();
  expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  const both = ["SleepFor nap", 0, 5000];
  expect(waitsOf("wfr_1")).toEqual([both, both]);
  expect(new Set(spans().map(({ id }) => id)).size).toBe(spans().length);
});

it("every wait of an inline run has a span: sleeps beside each other, an event, a call, a child", async () => {
  const { w, waitsOf, spans } = traced(
    app({
      [APP]: inline((run) => {
        const { results, runId: id } = run;
        if (run.nth === 1)
          return run.park(
            sleeps(1, START + 5000),
            sleeps(2, START + 5000),
            waits(id, 3, "approval", "90s"),
            asksFor(4, "Call", callMessage(id, 4)),
            asksFor(5, "Invoke", invokeMessage(id, 5, "wfr_child")),
          );
        return results.size === 5 ? run.returned("done") : run.park();
      }),
      [THIRD]: () => ok("fine"),
      [CHILD]: inline((run) => (run.nth === 1 ? run.park(sleeps(1, START + 7000)) : run.returned("done"))),
    }),
  );
  await w.start("wfr_1");
  await w.drain();
  expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  expect(waitsOf("wfr_1").sort()).toEqual([
    ["Call step4", 0, 0],
    ["Invoke step5", 0, 7000],
    ["SleepUntil step1", 0, 5000],
    ["SleepUntil step2", 0, 5000],
    ["Wait step3", 0, 90_000],
  ]);
  expect(new Set(spans().map(({ id }) => id)).size).toBe(spans().length);
});

it.each([
  ["flow control key", { [HEADER.flowControlKey]: "k", [HEADER.flowControlValue]: "parallelism=1" }],
  ["queue", {}],
])("the wait of a delivery for its %s has a span", async (what, headers) => {
  const open: (() => void)[] = [];
  const { w, spans } = traced(() => new Promise((resolve) => open.push(() => resolve(ok()))));
  const path = what === "queue" ? "enqueue/orders" : "publish";
  for (const name of ["one", "two"]) await w.ask("POST", `/v2/${path}/https://a.test/${name}`, { headers });
  await until(() => open.length === 1);
  w.clock.advance(4000);
  open.shift()?.();
  await until(() => open.length === 1);
  open.shift()?.();
  await w.engine.idle();
  const held = spans().filter(({ name }) => name.startsWith("wait to deliver"));
  expect(held).toMatchObject([{ name: "wait to deliver /two", began: START, ms: 4000 }]);
  expect(held[0]?.attributes).toMatchObject(
    what === "queue" ? { "perdure.queue": "orders" } : { "perdure.flow_control.key": "k" },
  );
});
