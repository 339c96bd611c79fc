import type { Meter } from "@opentelemetry/api";
import type { MiddlewareScope } from "@perdure/core";

/** The metrics of an endpoint. */
export interface Instruments {
  /** Measures the duration and the outcome of `work`. */
  readonly measure: (scope: MiddlewareScope, work: () => Promise<void>) => Promise<void>;
}

/** Creates the metrics: `perdure_invocation_seconds` of deliveries, `perdure_work_seconds` of user code within them. */
export function createInstruments(meter: Meter): Instruments {
  const unit = "s";
  const invocations = meter.createHistogram("perdure_invocation_seconds", {
    unit,
    description: "Duration of deliveries in the endpoint, by workflow and outcome.",
  });
  const work = meter.createHistogram("perdure_work_seconds", {
    unit,
    description:
      "Duration of steps, rollbacks, failure and cancel functions, by workflow, kind, step and outcome.",
  });
  return {
    measure: async ({ kind, url, stepName }, run) => {
      const workflow = new URL(url).pathname;
      const began = performance.now();
      const record = (outcome: "succeeded" | "failed"): void => {
        const seconds = (performance.now() - began) / 1000;
        if (kind === "delivery") invocations.record(seconds, { workflow, outcome });
        else
          work.record(seconds, {
            workflow,
            kind,
            outcome,
            ...(stepName === undefined ? {} : { step: stepName }),
          });
      };
      try {
        await run();
      } catch (error) {
        record("failed");
        throw error;
      }
      record("succeeded");
    },
  };
}
