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

const UNREADABLE = "a value that can't be read";

const VALUES: readonly (readonly [name: string, thrown: unknown, message: string])[] = [
  ["a revoked proxy", revoked.proxy, UNREADABLE],
  [
    "a proxy that refuses everything",
    new Proxy(new Error("x"), { get: refuse, getPrototypeOf: refuse }),
    UNREADABLE,
  ],
  [
    "an error whose message can't be read",
    Object.defineProperty(new Error(), "message", { get: refuse }),
    UNREADABLE,
  ],
  ["an error whose name can't be read", Object.defineProperty(new Error("x"), "name", { get: refuse }), "x"],
  [
    "an error whose stack can't be read",
    Object.defineProperty(new Error("x"), "stack", { get: refuse }),
    "x",
  ],
  ["an object without a prototype", Object.create(null), UNREADABLE],
  ["an object that can't become a string", { code: 7, toString: refuse }, '{"code":7}'],
  ["a symbol", Symbol("x"), "Symbol(x)"],
  ["undefined", undefined, "undefined"],
];

it.each(VALUES)(
  "%s that a step throws stays the run's failure, and its span says ERROR and why",
  async (_, thrown, message) => {
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
    expect(span?.status).toEqual({ code: SpanStatusCode.ERROR, message });
  },
);
