import { type StepHost, WorkflowContext } from "../context.ts";
import type { Resume } from "../protocol/delivery.ts";
import type { Outcome } from "../protocol/outcome.ts";
import type { Invocation } from "../replay/invocation.ts";
import type { StepHistory } from "../replay/step-history.ts";
import { warnOnce } from "../util/console.ts";
import { attemptInfo, type DeliveryContext, toRunContext } from "./delivery-context.ts";
import { around, emit } from "./events.ts";

/** A run whose payload is parsed. */
export interface PreparedRun {
  readonly ctx: DeliveryContext<Resume>;
  /** The workflow's context. It has no steps before the workflow starts. */
  readonly context: WorkflowContext;
  readonly invocation: Invocation;
}

/** @returns the failed attempt when the payload can't be parsed */
export async function prepareRun(
  ctx: DeliveryContext<Resume>,
  payload: string,
  history: StepHistory,
): Promise<PreparedRun | Outcome> {
  const { endpoint, config, delivery, request, authenticated } = ctx;
  const { runId, originalRunId } = delivery;
  let parsed: unknown;
  try {
    parsed = await endpoint.parsePayload(payload);
  } catch (error) {
    return { kind: "failed", error, where: "payload" };
  }
  const host: StepHost = { request: pending, cancel: pending };
  const context = new WorkflowContext(toRunContext(ctx, parsed), host);
  const run: PreparedRun = {
    ctx,
    context,
    invocation: {
      history,
      runId,
      originalRunId,
      attempt: attemptInfo(ctx),
      withStack: authenticated,
      onExhausted: endpoint.onExhausted,
      engine: config.engine,
      signal: request.request.signal,
      start: (started) => {
        Object.assign(host, started);
        return endpoint.workflow(context);
      },
      aroundStep: ({ name }, attempt, work) => around(ctx, { kind: "step", stepName: name, attempt }, work),
      beforeStep: ({ name, options }) => {
        if (options?.rollback && !delivery.ownEngine) warnOnce(NO_ROLLBACKS);
        return emit(ctx, "beforeExecution", { context, stepName: name });
      },
    },
  };
  return run;
}

const NO_ROLLBACKS = "This engine makes no rollbacks. Undo steps in the failure function.";

/** Until the workflow starts, middlewares only read its context. */
const pending = () => new Promise<never>(() => {});
