import { SpanStatusCode, trace } from "@opentelemetry/api";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { MiddlewareScope } from "@perdure/core";
import { expect, it } from "vitest";
import { openTelemetry } from "../src/index.ts";

const exporter = new InMemorySpanExporter();
trace.setGlobalTracerProvider(
  new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
);

const scope: MiddlewareScope = {
  kind: "step",
  workflowRunId: "wfr_1",
  url: "http://app.test/order",
  attempt: 1,
  stepName: "charge",
  headers: new Headers(),
};

function refuse(): never {
  throw new Error("it can't be read");
}

const revoked = Proxy.revocable({}, {});
revoked.revoke();

const VALUES: readonly (readonly [name: string, thrown: unknown])[] = [
  ["a revoked proxy", revoked.proxy],
  ["a proxy that refuses everything", new Proxy(new Error("x"), { get: refuse, getPrototypeOf: refuse })],
  ["an error whose message can't be read", Object.defineProperty(new Error(), "message", { get: refuse })],
  ["an error whose name can't be read", Object.defineProperty(new Error("x"), "name", { get: refuse })],
  ["an error whose stack can't be read", Object.defineProperty(new Error("x"), "stack", { get: refuse })],
  ["an object without a prototype", Object.create(null)],
  ["an object that can't become a string", { toString: refuse }],
  ["a symbol", Symbol("x")],
  ["undefined", undefined],
];

it.each(VALUES)(
  "%s that a step throws stays the run's failure, and its span says ERROR",
  async (_, thrown) => {
    exporter.reset();
    let outcome: { readonly thrown: unknown } | undefined;
    await openTelemetry()
      .around?.(scope, () => Promise.reject(thrown))
      .catch((error: unknown) => {
        outcome = { thrown: error };
      });
    expect(outcome).toBeDefined();
    expect(Object.is(outcome?.thrown, thrown)).toBe(true);
    const [span, ...others] = exporter.getFinishedSpans();
    expect(others).toHaveLength(0);
    expect(span?.name).toBe("step charge");
    expect(span?.status.code).toBe(SpanStatusCode.ERROR);
  },
);
