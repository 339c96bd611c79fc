import type { CallApi } from "../engine-client/api.ts";
import type { Query } from "../engine-client/http.ts";
import type { RunLog, RunState } from "../protocol/log.ts";
import type { ResultOf } from "../steps/index.ts";
import { checkNonEmptyString } from "../util/check.ts";
import { type EndedRun, type Run, toRun, withErrorMessage } from "./run.ts";
import { deadlineOf, type RunWaiter, type WaitForRun } from "./run-waiter.ts";
import { type CommonFilters, pickPage, type Selection, select } from "./select.ts";
import type { TriggerResult } from "./trigger.ts";

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

/** Reads single runs, and waits for their ends. */
export class Runs {
  readonly #callApi: CallApi;
  readonly #waiter: RunWaiter;

  /** @param waiter waits for the runs that {@link Runs} reads */
  constructor(callApi: CallApi, waiter: RunWaiter) {
    this.#callApi = callApi;
    this.#waiter = waiter;
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
  get<Target = unknown>(workflowRunId: string): Promise<Run<ResultOf<Target>> | undefined> {
    return getRun(this.#callApi, workflowRunId);
  }

  /**
   * Waits until the run has ended, by its id or the result of `trigger`, which has the type of the run's result. Perdure's own engine holds the request until then; other engines are polled, first after
   * 50 ms, later every two seconds. If a failure or cancel function is still running then, waits up to a second more for it,
   * within the timeout.
   *
   * @throws WorkflowError `timeout` when the timeout passes first, `unknown_run` when the engine knows no such run
   * @throws the signal's reason when it is aborted
   * @example
   * ```ts
   * const { result, error } = await client.runs.wait<typeof order>("wfr_order-7", { timeout: "5m" });
   * const run = await client.runs.wait(await client.trigger(order, { id: 7 }));
   * ```
   */
  wait<Target = unknown>(workflowRunId: string, options?: WaitForRun): Promise<EndedRun<ResultOf<Target>>>;
  wait<Result>(started: TriggerResult<Result>, options?: WaitForRun): Promise<EndedRun<Result>>;
  async wait(run: string | TriggerResult, options: WaitForRun = {}): Promise<EndedRun> {
    const runId = typeof run === "string" ? run : run.workflowRunId;
    return this.#waiter.wait(runId, options, deadlineOf(options));
  }
}

/** Fetches the newest run of an id; undefined when the engine knows none. */
export async function getRun<Result>(
  callApi: CallApi,
  workflowRunId: string,
): Promise<Run<Result> | undefined> {
  checkNonEmptyString("workflowRunId", workflowRunId);
  const { runs } = await fetchLogs(callApi, { filter: { workflowRunId } });
  return runs[0] && toRun(runs[0]);
}
