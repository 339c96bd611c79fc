import { type Duration, type HistoryEntry, parseDuration } from "@perdure/core/protocol";
import { bulkActions } from "../http/bulk.ts";
import { numbers } from "../http/numbers.ts";
import { runDetails } from "../http/run-details.ts";
import { listed, runCounts } from "../http/run-list.ts";
import { runView } from "../http/run-log.ts";
import { runs as routes } from "../http/runs.ts";
import { waiting } from "../http/waiting.ts";
import { workflowLogs } from "../http/workflow-logs.ts";
import { checkOptions } from "../rules/check-options.ts";
import { EngineError } from "../rules/engine-error.ts";
import type { BulkAction } from "../store/lists.ts";
import { createTimeSlices } from "../store/time-slices.ts";
import type { WaitLimits } from "../watch/run-ends.ts";
import type { Answer } from "./answer.ts";
import { type Caller, checkSignal } from "./caller.ts";
import {
  type CancelRunFilters,
  type Dates,
  type OneOrMore,
  type Page,
  type RunFilters,
  type RunSummaryFilters,
  type Selection,
  selected,
} from "./filters.ts";

const ROUTE = { list: workflowLogs["/v2/workflows/logs"].GET, ...routes["/v2/workflows/runs/:id"] };

const BULK = {
  cancel: bulkActions["/v2/workflows/bulk/cancel"].POST,
  resume: bulkActions["/v2/workflows/bulk/resume"].POST,
  restart: bulkActions["/v2/workflows/bulk/restart"].POST,
};

/** A page of runs with their steps. The last page has no `cursor`. */
export type RunPage = Answer<typeof ROUTE.list>;

/** A run with its steps. */
export type RunInfo = RunPage["runs"][number];

/** A page of runs without their steps. The last page has no `cursor`. */
export type RunSummaryPage = Answer<typeof listed>;

/** The number of runs in each state. */
export type RunCounts = Answer<(typeof runCounts)["/v2/workflows/counts"]["GET"]>;

/** The runs that a request to change many has changed or, with `dryRun`, would change. */
export type BulkResult = Answer<(typeof bulkActions)["/v2/workflows/bulk/cancel"]["POST"]>;

/** The runs to change, and whether only to count them. */
export type BulkOptions = Selection<RunSummaryFilters> & {
  /** True to count the runs, and to change none. */
  readonly dryRun?: boolean;
  /** The `cursor` of the previous call. */
  readonly cursor?: string;
};

/** A run with everything but its steps, and what it waits for. */
export type RunOverview = Answer<(typeof runDetails)["/v2/workflows/runs/:id/overview"]["GET"]>;

/** A page of a run's steps. The last page has no `cursor`. */
export type StepPage = Answer<(typeof runDetails)["/v2/workflows/runs/:id/steps"]["GET"]>;

/** Options to choose among several runs with the same id. */
export interface HistoryOptions {
  /** True to include runs that have ended. Only live runs by default. */
  readonly ended?: boolean;
  /** Time of the run's creation in milliseconds since 1970. The newest run by default. */
  readonly workflowCreatedAt?: number | Date;
}

/** Numbers of runs over time. */
export type RunNumbers = Answer<(typeof numbers)["/v2/workflows/numbers"]["GET"]>;

/** A period, in equal parts. */
export interface NumbersOptions extends Dates {
  /** Milliseconds of a part: 60 000 by default. */
  readonly bucket?: number;
  /** Only runs of these endpoints, by their whole URLs. */
  readonly workflowUrl?: OneOrMore<string>;
}

/** Limits of a wait for a run's end. */
export interface WaitOptions {
  /** Seconds or a duration. No limit by default. */
  readonly timeout?: number | Duration;
  /** A signal that ends the wait. The run continues. */
  readonly signal?: AbortSignal;
  /** `"wait"` also waits for the end of the rollbacks and of the failure or cancel function. */
  readonly failureFunction?: "wait";
}

/** The runs of workflows. */
export interface RunsApi {
  /**
   * Lists runs with their steps, the newest first.
   *
   * @example
   * ```ts
   * const { runs, cursor } = await engine.runs.list({ state: "RUN_FAILED", count: 20 });
   * ```
   */
  list(filters?: RunFilters): Promise<RunPage>;
  /**
   * Lists runs without their steps, the newest first.
   *
   * @example
   * ```ts
   * const { runs } = await engine.runs.find({ state: "RUN_FAILED", excludeLabel: "import" });
   * ```
   */
  find(filters?: RunSummaryFilters & Omit<Page, "order">): Promise<RunSummaryPage>;
  /**
   * Counts the runs that match, by their states.
   *
   * @example
   * ```ts
   * const { total, states } = await engine.runs.count({ label: "import" });
   * ```
   */
  count(filters?: RunSummaryFilters): Promise<RunCounts>;
  /**
   * Counts the runs that have begun and ended in each part of a period, by default in the last hour by the minute, and what
   * is live and waits now.
   *
   * @example
   * ```ts
   * const { buckets, now } = await engine.runs.numbers({ bucket: 300_000 });
   * ```
   */
  numbers(period?: NumbersOptions): Promise<RunNumbers>;
  /**
   * Cancels, resumes or restarts the runs that match: 100 with each call. Live runs can be cancelled, failed runs
   * in the dead letter queue resumed or restarted.
   *
   * @throws TypeError for a selection without a filter
   * @example
   * ```ts
   * const { matched } = await engine.runs.change("resume", { label: "import", dryRun: true });
   * const { changed, cursor } = await engine.runs.change("resume", { label: "import" });
   * ```
   */
  change(action: BulkAction, which: BulkOptions): Promise<BulkResult>;
  /**
   * Gets a run with its steps; the newest run if several had this id.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * const { workflowState, workflowRunResponse } = await engine.runs.get("wfr_order-7");
   * ```
   */
  get(workflowRunId: string): Promise<RunInfo>;
  /**
   * Gets a run with everything but its steps: its failure, its relatives, and what it waits for.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * for (const { text } of (await engine.runs.overview("wfr_order-7")).waitsFor) console.log(text);
   * ```
   */
  overview(workflowRunId: string): Promise<RunOverview>;
  /**
   * Lists the steps of a run in the order of its history.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * const { steps, cursor } = await engine.runs.steps("wfr_order-7", { count: 500 });
   * ```
   */
  steps(workflowRunId: string, page?: Page): Promise<StepPage>;
  /**
   * Ends the sleeps of a run now.
   *
   * @param stepName only the sleeps of the steps with this name
   * @throws EngineError `not_found`; `conflict` for a run that doesn't sleep
   * @example
   * ```ts
   * const { woken } = await engine.runs.wake("wfr_order-7", "nap");
   * ```
   */
  wake(workflowRunId: string, stepName?: string): Promise<{ readonly woken: number }>;
  /**
   * Begins the attempts of a run now that wait for their time after a failed one.
   *
   * @throws EngineError `not_found`; `conflict` for a run without such an attempt
   * @example
   * ```ts
   * const { retried } = await engine.runs.retryNow("wfr_order-7");
   * ```
   */
  retryNow(workflowRunId: string): Promise<{ readonly retried: number }>;
  /**
   * Gets the history of a run: its payload and its records, in the format of deliveries.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * const [payload, ...records] = await engine.runs.history("wfr_order-7", { ended: true });
   * ```
   */
  history(workflowRunId: string, options?: HistoryOptions): Promise<readonly HistoryEntry[]>;
  /**
   * Waits until a run has ended; the newest run if several had this id.
   *
   * @returns the run in its final state, or in its current state after the timeout
   * @throws EngineError `not_found`; `unavailable` when `limits.runWaits` callers wait already, or the engine
   * stops
   * @throws the signal's reason if the signal aborts
   * @example
   * ```ts
   * const { workflowState } = await engine.runs.wait("wfr_order-7", { timeout: "1m" });
   * if (workflowState === "RUN_STARTED") console.log("a minute wasn't enough");
   * ```
   */
  wait(workflowRunId: string, options?: WaitOptions): Promise<RunInfo>;
  /**
   * Cancels a live run by its id, the live runs that match, or all. It cancels at most `count` matching runs,
   * 100 by default, the newest first.
   *
   * @throws EngineError `not_found` for an id that no run ever had
   * @throws TypeError for a selection without a filter
   * @example
   * ```ts
   * await engine.runs.cancel("wfr_order-7");
   * const { cancelled } = await engine.runs.cancel({ label: "import" });
   * ```
   */
  cancel(
    which: string | (Selection<CancelRunFilters> & { readonly count?: number }),
  ): Promise<{ readonly cancelled: number }>;
}

export function createRunsApi({ call, run }: Caller): RunsApi {
  const get = async (workflowRunId: string, workflowCreatedAt?: number): Promise<RunInfo> => {
    checkId(workflowRunId);
    const { runs } = await call(ROUTE.list, { query: { workflowRunId, workflowCreatedAt, count: 1 } });
    const [found] = runs;
    if (found) return found;
    throw new EngineError("not_found", `workflow run ${workflowRunId} not found`);
  };
  return {
    list: (filters = {}) => call(ROUTE.list, { query: filters }),
    find: (filters = {}) => call(listed, { query: filters }),
    count: (filters = {}) => call(runCounts["/v2/workflows/counts"].GET, { query: filters }),
    numbers: (period = {}) => call(numbers["/v2/workflows/numbers"].GET, { query: period }),
    async change(action, which) {
      if (!Object.hasOwn(BULK, action)) {
        throw new TypeError(`action must be "cancel", "resume" or "restart"; got ${JSON.stringify(action)}.`);
      }
      const { dryRun, ...filters } = selected<Omit<BulkOptions, "all">>("runs.change", which);
      return call(BULK[action], { query: { ...filters, all: true, dryRun } });
    },
    overview: (id) => call(runDetails["/v2/workflows/runs/:id/overview"].GET, { params: { id } }),
    steps: (id, page = {}) =>
      call(runDetails["/v2/workflows/runs/:id/steps"].GET, { params: { id }, query: page }),
    wake: (id, stepName) =>
      call(waiting["/v2/workflows/runs/:id/wake"].POST, {
        params: { id },
        body: stepName === undefined ? undefined : { stepName },
      }),
    retryNow: (id) => call(waiting["/v2/workflows/runs/:id/retry"].POST, { params: { id } }),
    get: (workflowRunId) => get(workflowRunId),
    async wait(workflowRunId, options = {}) {
      checkId(workflowRunId);
      const limits = toLimits(options);
      const choice = { id: workflowRunId, withReports: options.failureFunction === "wait" };
      const end = await run(({ runEnds }) => runEnds.wait(choice, limits));
      limits.signal?.throwIfAborted();
      return end.run ? runView(end.run, createTimeSlices()) : get(workflowRunId, end.createdAt);
    },
    history: (id, options = {}) => call(ROUTE.GET, { params: { id }, query: options }),
    async cancel(which) {
      if (typeof which === "string")
        return call(ROUTE.DELETE, { params: { id: which }, body: new Uint8Array() });
      const { workflowUrl, ...filters } = selected<CancelRunFilters>("runs.cancel", which);
      const byUrl = workflowUrl === undefined ? {} : { workflowUrl, workflowUrlExactMatch: true };
      return call(routes["/v2/workflows/runs"].DELETE, { query: { ...filters, ...byUrl } });
    },
  };
}

/** @throws TypeError */
function toLimits(options: WaitOptions): WaitLimits {
  checkOptions("runs.wait", options, "timeout signal failureFunction");
  const { timeout, signal, failureFunction } = options;
  checkSignal(signal);
  if (failureFunction !== undefined && failureFunction !== "wait")
    throw new TypeError(`failureFunction must be "wait"; got ${JSON.stringify(failureFunction)}.`);
  if (timeout === undefined) return { signal };
  const ms = parseDuration(String(timeout));
  if (ms !== undefined) return { ms, signal };
  throw new TypeError(
    `timeout must be a number of seconds, or a duration like "30s"; got ${JSON.stringify(timeout)}.`,
  );
}

function checkId(id: unknown): void {
  if (typeof id === "string" && id !== "") return;
  throw new TypeError(`workflowRunId must be a non-empty string; got ${JSON.stringify(id)}.`);
}
