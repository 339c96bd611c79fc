import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { expect, it } from "vitest";
import { EngineSpans } from "../../src/cli/engine-spans.ts";
import { ChosenIds, runSpanContext } from "../../src/cli/span-ids.ts";
import type { EngineEvent } from "../../src/rules/event.ts";

/** The spans of an engine that has seen nothing but this event. */
function spansOf(event: EngineEvent) {
  const exporter = new InMemorySpanExporter();
  const idGenerator = new ChosenIds();
  const provider = new TracerProvider({
    idGenerator,
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  });
  new EngineSpans(provider.getTracer("test"), idGenerator).observe(event, "ann");
  return exporter.getFinishedSpans().map((span) => ({
    name: span.name,
    id: span.spanContext().spanId,
    parent: span.parentSpanContext?.spanId,
    began: span.startTime[0] * 1000 + span.startTime[1] / 1e6,
    ms: span.duration[0] * 1000 + span.duration[1] / 1e6,
    error: span.status.message,
  }));
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
  const recorded = { type: "step.recorded", runId, step: "approval", stepType: "Wait" } as const;
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
