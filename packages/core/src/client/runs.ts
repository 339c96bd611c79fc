import { ask } from "../border/api.ts";
import type { Http, Query } from "../border/http.ts";
import { checkText } from "../kernel/check.ts";
import { type Duration, toMilliseconds } from "../kernel/duration.ts";
import { WorkflowError } from "../kernel/errors.ts";
import { parseLeniently } from "../kernel/json.ts";
import type { RunLog, RunState } from "../protocol/log.ts";
import { type CommonFilters, part, type Selection, select } from "./select.ts";

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

export async function logs(http: Http, options: LogsOptions): Promise<RunPage> {
  const { cursor, count, filter, ...older } = options;
  const query = { groupBy: "workflowRunId", ...older, ...filter, cursor, count };
  return part("runs", await ask<RunPage>(http, { method: "GET", path: ["workflows", "events"], query }));
}

export async function cancel(
  http: Http,
  selection: Selection<"workflowRunIds", CancelFilters>,
): Promise<{ cancelled: number }> {
  const query = select(selection, "workflowRunIds", toQuery);
  if (!query) return { cancelled: 0 };
  const path = ["workflows", "runs"];
  const { cancelled } = await ask<{ cancelled: number }>(http, { method: "DELETE", path, query });
  return { cancelled };
}

function toQuery(filter: CancelFilters): Query {
  const { workflowUrl, workflowUrlStartingWith, ...rest } = filter;
  if (workflowUrl !== undefined && workflowUrlStartingWith !== undefined) {
    throw new TypeError("Filter by workflowUrl or by workflowUrlStartingWith, not by both.");
  }
  if (workflowUrl !== undefined) return { ...rest, workflowUrl, workflowUrlExactMatch: true };
  return { ...rest, workflowUrl: workflowUrlStartingWith };
}

/** A run that has ended, and its result where it has one. */
export interface EndedRun<Result = unknown> extends RunLog {
  /** What the workflow returned; `undefined` unless the state is `RUN_SUCCESS`. */
  readonly result: Result | undefined;
}

/** How long to wait for a run's end. */
export interface WaitForRun {
  /** Seconds or a duration; without one it waits for as long as it takes. */
  readonly timeout?: number | Duration;
  /** Aborted to wait no longer. The run goes on. */
  readonly signal?: AbortSignal;
}

/** Looks after single runs. */
export class Runs {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** The run's log; of several runs that had this id, the newest one's. `undefined` when the engine knows none. */
  async get(workflowRunId: string): Promise<RunLog | undefined> {
    checkText("workflowRunId", workflowRunId);
    const { runs } = await logs(this.#http, { filter: { workflowRunId } });
    return runs[0];
  }

  /**
   * Waits until the run has ended, and its failure function with it. Asks the engine again and again, at most every two seconds.
   *
   * @throws WorkflowError `timeout` when the time is over first, `unknown_run` when the engine knows no such run
   * @throws the signal's reason when it is aborted
   */
  async wait<Result = unknown>(
    workflowRunId: string,
    { timeout, signal }: WaitForRun = {},
  ): Promise<EndedRun<Result>> {
    const end = timeout === undefined ? Infinity : Date.now() + toMilliseconds(timeout, "timeout");
    for (let pause = 50; ; pause = Math.min(pause * 1.5, 2000)) {
      signal?.throwIfAborted();
      const run = await this.get(workflowRunId);
      if (!run) throw new WorkflowError("unknown_run", `The engine knows no run "${workflowRunId}".`);
      if (hasEnded(run)) return { ...run, result: resultOf(run) as Result | undefined };
      const left = end - Date.now();
      if (left <= 0)
        throw new WorkflowError("timeout", `The run "${workflowRunId}" hasn't ended within ${timeout}.`);
      await rest(Math.min(pause, left), signal);
    }
  }
}

function hasEnded({ workflowState, failureFunction }: RunLog): boolean {
  return workflowState !== "RUN_STARTED" && failureFunction?.state !== "CALLBACK_INPROGRESS";
}

function resultOf({ workflowState, workflowRunResponse }: RunLog): unknown {
  // That of a workflow that isn't ours may be any text.
  return workflowState === "RUN_SUCCESS" ? parseLeniently(workflowRunResponse ?? "") : undefined;
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
