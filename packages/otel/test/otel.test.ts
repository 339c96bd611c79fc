import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { SpanKind } from "@opentelemetry/api";
import { describe, expect, it } from "vitest";
import { openTelemetry } from "../src/index.ts";
import { runSpanContext } from "../src/run-span-context.ts";
import type { Facts, SpanFacts } from "./traced-run.ts";

const { resolve } = createRequire(import.meta.url);
const programOf = (name: string, file: string): string =>
  join(dirname(resolve(`${name}/package.json`)), file);
const PROGRAM = fileURLToPath(new URL("./traced-run.ts", import.meta.url));

const RUNTIMES = [
  { name: "Node", command: [process.execPath] },
  { name: "Bun", command: [programOf("bun", "bin/bun.exe")] },
  {
    name: "Deno",
    command: [programOf("deno", process.platform === "win32" ? "deno.exe" : "deno"), "run", "-A"],
  },
];

async function trace([program = "", ...flags]: readonly string[], ...args: string[]): Promise<Facts> {
  const { stdout } = await promisify(execFile)(program, [...flags, PROGRAM, ...args]);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Facts;
}

const named = ({ spans }: Facts, name: string): SpanFacts[] => spans.filter((span) => span.name === name);
const only = (facts: Facts, name: string): SpanFacts => {
  const found = named(facts, name);
  expect(found, name).toHaveLength(1);
  return found[0] ?? expect.unreachable();
};

describe.each(RUNTIMES)("on $name", ({ command }) => {
  it("each delivery is a trace that links to the run and to the trigger", async () => {
    const facts = await trace(command);
    const run = await runSpanContext(facts.runId);
    const deliveries = named(facts, "process /order");
    expect(deliveries.length).toBeGreaterThan(2);
    for (const { kind, traceId, parentId, links } of deliveries) {
      expect(kind).toBe(SpanKind.CONSUMER);
      expect(parentId).toBeUndefined();
      expect(links).toEqual([facts.triggerTraceId, run.traceId]);
      expect(deliveries.filter((one) => one.traceId === traceId)).toHaveLength(1);
    }
    // A replayed step has no span.
    const charge = only(facts, "step charge");
    expect(charge.kind).toBe(SpanKind.INTERNAL);
    expect(deliveries.map(({ spanId }) => spanId)).toContain(charge.parentId);
    expect(only(facts, "card")).toMatchObject({ traceId: charge.traceId, parentId: charge.spanId });
    expect(charge.attributes).toEqual({
      "perdure.run.id": facts.runId,
      "perdure.workflow.url": "http://app.test/order",
      "perdure.attempt": 1,
      "perdure.step.name": "charge",
    });
    expect(only(facts, "step ship").error).toBe("no van");
    expect(only(facts, "rollback charge").error).toBeUndefined();
    expect(only(facts, "failure function").error).toBeUndefined();
    // The call carries the trace of the delivery that asked for it.
    expect(deliveries.map(({ traceId }) => traceId)).toContain(facts.called?.split("-")[1]);
    expect(JSON.stringify(facts)).not.toContain("4242-4242");
    expect(new Set(facts.histograms)).toEqual(
      new Set([
        "perdure_invocation_seconds /order succeeded",
        "perdure_invocation_seconds /order failed",
        "perdure_work_seconds /order step charge succeeded",
        "perdure_work_seconds /order step ship failed",
        "perdure_work_seconds /order rollback charge succeeded",
        "perdure_work_seconds /order failureFunction succeeded",
      ]),
    );
  });
});

it('with traces: "run", all deliveries of a run are one trace', async () => {
  const facts = await trace([process.execPath], "run");
  const run = await runSpanContext(facts.runId);
  const spans = facts.spans.filter(({ name }) => name !== "order");
  expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([run.traceId]));
  for (const { kind, parentId, links } of named(facts, "process /order"))
    expect({ kind, parentId, links }).toEqual({
      kind: SpanKind.CONSUMER,
      parentId: run.spanId,
      links: [facts.triggerTraceId],
    });
});

it("an exporter that throws harms no run", async () => {
  const facts = await trace([process.execPath], "invocation", "broken");
  expect(facts).toMatchObject({ state: "RUN_FAILED", spans: [] });
  expect(facts.histograms).toContain("perdure_work_seconds /order failureFunction succeeded");
});

it("refuses traces of another kind", () => {
  expect(() => openTelemetry({ traces: "all" as "run" })).toThrow(
    new TypeError('traces must be "invocation" or "run"; got "all".'),
  );
});
