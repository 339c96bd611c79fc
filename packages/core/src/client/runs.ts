import type { CallApi } from "../engine-client/api.ts";
import type { Query } from "../engine-client/http.ts";
import { type RunError, readFailure } from "../protocol/error.ts";
import type { RunLog, RunState } from "../protocol/log.ts";
import { checkNonEmptyString, mustBe } from "../util/check.ts";
import { type Duration, toMilliseconds } from "../util/duration.ts";
import { WorkflowError } from "../util/errors.ts";
import { parseLeniently } from "../util/json.ts";
import type { Jsonify } from "../util/jsonify.ts";
import { type CommonFilters, pickPage, type Selection, select } from "./select.ts";

/** Filters for runs. A run must match all of them. */
export interface RunFilters extends CommonFilters {
  readonly workflowRunId?: string;
  /** The full URL of the endpoint. */
  readonly workflowUrl?: string | readonly string[];
  /** Host of the endpoint's URL. */
  readonly host?: string | readonly string[];
  /** Path of the endpoint's URL. */
  readonly path?: string | readonly string[];
  readonly state?: RunState;
  /** Milliseconds since 1970: selects one of several runs with the same id. */
  readonly workflowCreatedAt?: number;
  /** The id of one of the run's deliveries. */
  readonly messageId?: string;
}

/** Filters outside of `filter`, for older code. */
type OlderFilters = Pick<
  RunFilters,
  "workflowRunId" | "state" | "workflowUrl" | "label" | "workflowCreatedAt"
>;

/** Selects runs, and a page of them. */
export interface LogsOptions extends OlderFilters {
  /** The cursor of the previous page. */
  readonly cursor?: string;
  /** The number of runs on a page. */
  readonly count?: number;
  readonly filter?: RunFilters;
}

/** A page of runs, the newest first. The last page has no cursor. */
export interface RunPage {
  readonly runs: RunLog[];
  readonly cursor?: string;
}

/** Selects the runs to cancel; the URL either in full, or by its beginning. */
export type CancelFilters = CommonFilters &
  Pick<RunFilters, "host" | "path"> &
  (
    | {
        /** The full URL of the endpoint. */
        readonly workflowUrl?: string | readonly string[];
        readonly workflowUrlStartingWith?: never;
      }
    | {
        readonly workflowUrl?: never;
        /** The beginning of the endpoint's URL. */
        readonly workflowUrlStartingWith?: string | readonly string[];
      }
  );

export async function logs(callApi: CallApi, options: LogsOptions): Promise<RunPage> {
  const page = await fetchLogs(callApi, options);
  return { ...page, runs: page.runs.map(withErrorMessage) };
}

async function fetchLogs(callApi: CallApi, options: LogsOptions): Promise<RunPage> {
  const { cursor, count, filter, ...older } = options;
  const query = { groupBy: "workflowRunId", ...older, ...filter, cursor, count };
  return pickPage("runs", await callApi<RunPage>("GET", ["workflows", "events"], { query }));
}

export async function cancel(
  callApi: CallApi,
  selection: Selection<"workflowRunIds", CancelFilters>,
): Promise<{ cancelled: number }> {
  const query = select(selection, "workflowRunIds", toQuery);
  if (!query) return { cancelled: 0 };
  const { cancelled } = await callApi<{ cancelled: number }>("DELETE", ["workflows", "runs"], { query });
  return { cancelled };
}

function toQuery(filter: CancelFilters): Query {
  const { workflowUrl, workflowUrlStartingWith, ...pauseFor } = filter;
  if (workflowUrl !== undefined && workflowUrlStartingWith !== undefined) {
    throw new TypeError("Give workflowUrl or workflowUrlStartingWith, not both.");
  }
  if (workflowUrl !== undefined) return { ...pauseFor, workflowUrl, workflowUrlExactMatch: true };
  return { ...pauseFor, workflowUrl: workflowUrlStartingWith };
}

/** A run with its result or its error. */
export interface Run<Result = unknown> extends RunLog {
  /** The value that the workflow returned, as JSON carries it; `undefined` unless the state is `RUN_SUCCESS`. */
  readonly result: Jsonify<Result> | undefined;
  /** The error that failed the run; `undefined` unless the state is `RUN_FAILED`. */
  readonly error: RunError | undefined;
}

/** A run that has ended. */
export type EndedRun<Result = unknown> = Run<Result>;

/** Limits of a wait for a run's end. */
export interface WaitForRun {
  /** Seconds or a duration. Default: no limit. */
  readonly timeout?: number | Duration;
  /** Aborts the wait. The run continues. */
  readonly signal?: AbortSignal;
  /** `"wait"`: also waits for the end of the failure or cancel function. */
  readonly failureFunction?: "wait";
}

/** Reads single runs, and waits for their ends. */
export class Runs {
  readonly #callApi: CallApi;

  constructor(callApi: CallApi) {
    this.#callApi = callApi;
  }

  /**
   * Fetches a run; if several runs had this id, the newest one.
   *
   * @returns `undefined` when the engine knows no such run
   *
   * @example
   * ```ts
   * const run = await client.runs.get<Receipt>("wfr_order-7");
   * if (run?.workflowState === "RUN_SUCCESS") console.log(run.result);
   * ```
   */
  async get<Result = unknown>(workflowRunId: string): Promise<Run<Result> | undefined> {
    checkNonEmptyString("workflowRunId", workflowRunId);
    const { runs } = await fetchLogs(this.#callApi, { filter: { workflowRunId } });
    const [run] = runs;
    return (
      run && {
        ...withErrorMessage(run),
        result: resultOf(run) as Jsonify<Result> | undefined,
        error: errorOf(run),
      }
    );
  }

  /**
   * Waits until the run has ended. Polls the engine, first after 50 ms, later every two seconds. If a failure or cancel
   * function is still running then, waits up to a second more for it, within the timeout.
   *
   * @throws WorkflowError `timeout` when the timeout passes first, `unknown_run` when the engine knows no such run
   * @throws the signal's reason when it is aborted
   * @example
   * ```ts
   * const { result, error } = await client.runs.wait<Receipt>("wfr_order-7", { timeout: "5m" });
   * ```
   */
  async wait<Result = unknown>(
    workflowRunId: string,
    { timeout, signal, failureFunction }: WaitForRun = {},
  ): Promise<EndedRun<Result>> {
    if (failureFunction !== undefined && failureFunction !== "wait")
      throw mustBe("failureFunction", '"wait"', failureFunction);
    let end = timeout === undefined ? Infinity : Date.now() + toMilliseconds(timeout, "timeout");
    let hasEnded = false;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, 2000)) {
      signal?.throwIfAborted();
      const run = await this.get<Result>(workflowRunId);
      if (!run) throw new WorkflowError("unknown_run", `The engine knows no run "${workflowRunId}".`);
      const unfinished = unfinishedPart(run);
      if (!unfinished) return run;
      if (!hasEnded && !failureFunction && run.workflowState !== "RUN_STARTED") {
        hasEnded = true;
        pause = FIRST_PAUSE_MS;
        end = Math.min(end, Date.now() + GRACE_MS);
      }
      const left = end - Date.now();
      if (left <= 0 && hasEnded) return run;
      if (left <= 0)
        throw new WorkflowError(
          "timeout",
          `${unfinished} hasn't ended within ${typeof timeout === "number" ? `${timeout} s` : timeout}.`,
        );
      await rest(Math.min(pause, left), signal);
    }
  }
}

const FIRST_PAUSE_MS = 50;

/** How long `wait` polls an ended run for the end of its failure function. */
const GRACE_MS = 1000;

/** Describes the part of a run that hasn't ended; undefined when all of it has. */
function unfinishedPart(run: RunLog): string | undefined {
  const { workflowRunId: id, workflowState: state, failureFunction, cancelFunction } = run;
  if (state === "RUN_STARTED") return `The run "${id}"`;
  if (failureFunction?.state === IN_PROGRESS) return `The run "${id}" has failed, and its failure function`;
  if (cancelFunction?.state === IN_PROGRESS) return `The run "${id}" was cancelled, and its cancel function`;
  return undefined;
}

const IN_PROGRESS = "CALLBACK_INPROGRESS";

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
function withErrorMessage(run: RunLog): RunLog {
  const { failureFunction, workflowRunError } = run;
  if (!failureFunction || workflowRunError) return run;
  const { failResponse, failStatus } = failureFunction;
  const { thrown } = readFailure(failResponse, failStatus);
  return thrown ? { ...run, failureFunction: { ...failureFunction, failResponse: thrown.message } } : run;
}

// An abort ends the pause early; the caller then checks the signal.
function rest(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    signal?.addEventListener("abort", done);
  });
}
