import { checkOptions, type Duration, type HistoryEntry, parseDuration } from "@perdure/core/protocol";
import { runView } from "../http/run-log.ts";
import { runs as routes } from "../http/runs.ts";
import { workflowLogs } from "../http/workflow-logs.ts";
import { EngineError } from "../rules/engine-error.ts";
import type { WaitLimits } from "../watch/run-ends.ts";
import type { Answer } from "./answer.ts";
import type { Caller } from "./caller.ts";
import { type CancelRunFilters, type RunFilters, type Selection, selected } from "./filters.ts";

const ROUTE = { list: workflowLogs["/v2/workflows/logs"].GET, ...routes["/v2/workflows/runs/:id"] };

/** A page of runs with their steps. The last page has no `cursor`. */
export type RunPage = Answer<typeof ROUTE.list>;

/** A run with its steps. */
export type RunInfo = RunPage["runs"][number];

/** Options to choose among several runs with the same id. */
export interface HistoryOptions {
  /** True to include runs that have ended. Only live runs by default. */
  readonly ended?: boolean;
  /** Time of the run's creation in milliseconds since 1970. The newest run by default. */
  readonly workflowCreatedAt?: number | Date;
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
    list: (filters = {}) => call(ROUTE.list, { query: { ...filters } }),
    get: (workflowRunId) => get(workflowRunId),
    async wait(workflowRunId, options = {}) {
      checkId(workflowRunId);
      const limits = toLimits(options);
      const choice = { id: workflowRunId, withReports: options.failureFunction === "wait" };
      const end = await run(({ runEnds }) => runEnds.wait(choice, limits));
      limits.signal?.throwIfAborted();
      return end.run ? runView(end.run) : get(workflowRunId, end.createdAt);
    },
    history: (id, options = {}) => call(ROUTE.GET, { params: { id }, query: { ...options } }),
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
