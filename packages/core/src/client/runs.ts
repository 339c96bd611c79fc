import type { CallApi } from "../engine-client/api.ts";
import type { Query } from "../engine-client/http.ts";
import { type RunError, readFailure } from "../protocol/error.ts";
import type { RunLog, RunState } from "../protocol/log.ts";
import { checkNonEmptyString, mustBe } from "../util/check.ts";
import { type Duration, toMilliseconds } from "../util/duration.ts";
import { WorkflowError } from "../util/errors.ts";
import { parseLeniently } from "../util/json.ts";
import { type CommonFilters, pickPage, type Selection, select } from "./select.ts";

/** What can be asked of runs. All that are given must match. */
export interface RunFilters extends CommonFilters {
  readonly workflowRunId?: string;
  /** The whole URL of the endpoint. */
  readonly workflowUrl?: string | readonly string[];
  /** Of the endpoint's URL. */
  readonly host?: string | readonly string[];
  /** Of the endpoint's URL. */
  readonly path?: string | readonly string[];
  readonly state?: RunState;
  /** Milliseconds since 1970: of several runs with one id, this one. */
  readonly workflowCreatedAt?: number;
  /** Of one of the run's deliveries. */
  readonly messageId?: string;
}

/** What may also stand beside `filter`: code was written so when there was none. */
type OlderFilters = Pick<
  RunFilters,
  "workflowRunId" | "state" | "workflowUrl" | "label" | "workflowCreatedAt"
>;

/** Which runs, and which page of them. */
export interface LogsOptions extends OlderFilters {
  /** Of the page before. */
  readonly cursor?: string;
  /** Runs on a page. */
  readonly count?: number;
  readonly filter?: RunFilters;
}

/** A page of runs, the newest first; without a cursor when it is the last. */
export interface RunPage {
  readonly runs: RunLog[];
  readonly cursor?: string;
}

/** A run's URL as it is, or the beginning of several: one of the two. */
export type CancelFilters = CommonFilters &
  Pick<RunFilters, "host" | "path"> &
  (
    | {
        /** The whole URL of the endpoint. */
        readonly workflowUrl?: string | readonly string[];
        readonly workflowUrlStartingWith?: never;
      }
    | {
        readonly workflowUrl?: never;
        /** What the endpoint's URL begins with. */
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

/** A run with what it has come to. */
export interface Run<Result = unknown> extends RunLog {
  /** The value that the workflow returned; `undefined` unless the state is `RUN_SUCCESS`. */
  readonly result: Result | undefined;
  /** Why the run has failed; `undefined` unless the state is `RUN_FAILED`. */
  readonly error: RunError | undefined;
}

/** A run that has ended. */
export type EndedRun<Result = unknown> = Run<Result>;

/** How long to wait for a run's end. */
export interface WaitForRun {
  /** Seconds or a duration; without one it waits for as long as it takes. */
  readonly timeout?: number | Duration;
  /** Aborted to wait no longer. The run goes on. */
  readonly signal?: AbortSignal;
  /** `"wait"`: waits for the end of the failure function, too, or of the cancel function. */
  readonly failureFunction?: "wait";
}

/** Looks after single runs. */
export class Runs {
  readonly #callApi: CallApi;

  constructor(callApi: CallApi) {
    this.#callApi = callApi;
  }

  /** The run; of several runs that had this id, the newest one. `undefined` when the engine knows none. */
  async get<Result = unknown>(workflowRunId: string): Promise<Run<Result> | undefined> {
    checkNonEmptyString("workflowRunId", workflowRunId);
    const { runs } = await fetchLogs(this.#callApi, { filter: { workflowRunId } });
    const [run] = runs;
    return (
      run && { ...withErrorMessage(run), result: resultOf(run) as Result | undefined, error: errorOf(run) }
    );
  }

  /**
   * Waits until the run has ended. Asks the engine again and again, at most every two seconds. A failure or cancel
   * function that is still running then gets up to a second more, within the timeout, to come to its end.
   *
   * @throws WorkflowError `timeout` when the time is over first, `unknown_run` when the engine knows no such run
   * @throws the signal's reason when it is aborted
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

/** How long a run that has ended is looked at again for the end of its failure function. */
const GRACE_MS = 1000;

/** What of a run has to end yet. */
function unfinishedPart(run: RunLog): string | undefined {
  const { workflowRunId: id, workflowState: state, failureFunction, cancelFunction } = run;
  if (state === "RUN_STARTED") return `The run "${id}"`;
  if (failureFunction?.state === IN_PROGRESS) return `The run "${id}" has failed, and its failure function`;
  if (cancelFunction?.state === IN_PROGRESS) return `The run "${id}" was cancelled, and its cancel function`;
  return undefined;
}

const IN_PROGRESS = "CALLBACK_INPROGRESS";

function resultOf({ workflowState, workflowRunResponse }: RunLog): unknown {
  // That of a workflow that isn't ours may be any text.
  return workflowState === "RUN_SUCCESS" ? parseLeniently(workflowRunResponse ?? "") : undefined;
}

function errorOf({
  workflowState,
  workflowRunError,
  failureFunction,
  steps = [],
}: RunLog): RunError | undefined {
  if (workflowState !== "RUN_FAILED" || workflowRunError) return workflowRunError;
  // Other engines tell it only in the report of the failure, or with the attempt that failed last.
  const attempts = steps.flatMap((group) => [...group.steps]).flatMap(({ errors = [] }) => errors);
  const last = attempts.at(-1);
  const body = failureFunction?.failResponse ?? (last?.body || last?.error) ?? "";
  const { thrown, ...error } = readFailure(body, failureFunction?.failStatus ?? last?.status ?? 0);
  return error;
}

/** With the message of the error as `failResponse`, which other engines give as the endpoint's whole answer. */
function withErrorMessage(run: RunLog): RunLog {
  const { failureFunction, workflowRunError } = run;
  if (!failureFunction || workflowRunError) return run;
  const { failResponse, failStatus } = failureFunction;
  const { thrown } = readFailure(failResponse, failStatus);
  return thrown ? { ...run, failureFunction: { ...failureFunction, failResponse: thrown.message } } : run;
}

// An abort ends it early: who has rested looks at the signal.
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
