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
  /** The workflow's context once it has started; before that, one without steps. */
  context: WorkflowContext;
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
  const runContext = toRunContext(ctx, parsed);
  const run: PreparedRun = {
    ctx,
    context: new WorkflowContext(runContext, inertHost),
    invocation: {
      history,
      runId,
      originalRunId,
      attempt: attemptInfo(ctx),
      withStack: authenticated,
      onExhausted: endpoint.onExhausted,
      engine: config.engine,
      signal: request.request.signal,
      start: (host) => {
        run.context = new WorkflowContext(runContext, host);
        return endpoint.workflow(run.context);
      },
      aroundStep: ({ name }, attempt, work) => around(ctx, { kind: "step", stepName: name, attempt }, work),
      beforeStep: ({ name, options }) => {
        if (options?.rollback && !delivery.ownEngine) warnOnce(NO_ROLLBACKS);
        return emit(ctx, "beforeExecution", { context: run.context, stepName: name });
      },
    },
  };
  return run;
}

const NO_ROLLBACKS = "This engine makes no rollbacks. Undo steps in the failure function.";

/** The host of a context that middlewares only read. */
const inertHost: StepHost = { request: () => new Promise(() => {}), cancel: () => new Promise(() => {}) };
