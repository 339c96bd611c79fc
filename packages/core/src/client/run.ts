import { type RunError, readFailure } from "../protocol/error.ts";
import type { RunLog } from "../protocol/log.ts";
import { parseLeniently } from "../util/json.ts";
import type { Jsonify } from "../util/jsonify.ts";

/** A run with its result or its error. */
export interface Run<Result = unknown> extends RunLog {
  /** The value that the workflow returned, as JSON carries it; `undefined` unless the state is `RUN_SUCCESS`. */
  readonly result: Jsonify<Result> | undefined;
  /** The error that failed the run; `undefined` unless the state is `RUN_FAILED`. */
  readonly error: RunError | undefined;
}

/** A run that has ended. */
export type EndedRun<Result = unknown> = Run<Result>;

/** Reads the result and the error of a run from its log. */
export function toRun<Result>(log: RunLog): Run<Result> {
  return {
    ...withErrorMessage(log),
    result: resultOf(log) as Jsonify<Result> | undefined,
    error: errorOf(log),
  };
}

function resultOf({ workflowState, workflowRunResponse }: RunLog): unknown {
  // A workflow of another SDK may return any string.
  return workflowState === "RUN_SUCCESS" ? parseLeniently(workflowRunResponse ?? "") : undefined;
}

function errorOf({
  workflowState,
  workflowRunError,
  failureFunction,
  steps = [],
}: RunLog): RunError | undefined {
  if (workflowState !== "RUN_FAILED" || workflowRunError) return workflowRunError;
  // Other engines send the error only with the failure function's delivery, or with the last failed attempt.
  const attempts = steps.flatMap((group) => [...group.steps]).flatMap(({ errors = [] }) => errors);
  const last = attempts.at(-1);
  const body = failureFunction?.failResponse ?? (last?.body || last?.error) ?? "";
  const { thrown, ...error } = readFailure(body, failureFunction?.failStatus ?? last?.status ?? 0);
  return error;
}

/** Replaces `failResponse`, which other engines set to the endpoint's whole answer, with the error's message. */
export function withErrorMessage(run: RunLog): RunLog {
  const { failureFunction, workflowRunError } = run;
  if (!failureFunction || workflowRunError) return run;
  const { failResponse, failStatus } = failureFunction;
  const { thrown } = readFailure(failResponse, failStatus);
  return thrown ? { ...run, failureFunction: { ...failureFunction, failResponse: thrown.message } } : run;
}
