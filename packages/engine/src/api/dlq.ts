import { deadLetterById, deadLetters } from "../http/dlq.ts";
import { resumes } from "../http/resume.ts";
import { retries } from "../http/retry.ts";
import type { Answer } from "./answer.ts";
import type { Caller } from "./caller.ts";
import { type ResumeOptions, type RetryOptions, resumeHeaders, retryHeaders } from "./changed-options.ts";
import {
  type DeadLetterFilters,
  type Order,
  type Page,
  type Selection,
  selected,
  toQuery,
} from "./filters.ts";

const ROUTE = {
  ...deadLetters["/v2/dlq"],
  ...{ GET_ONE: deadLetterById["/v2/dlq/:id"].GET, DELETE_ONE: deadLetterById["/v2/dlq/:id"].DELETE },
  groups: deadLetters["/v2/dlq/groups"].GET,
  retry: retries["/v2/dlq/retry"].POST,
  resume: resumes["/v2/workflows/dlq/resume"].POST,
  restart: resumes["/v2/workflows/dlq/restart"].POST,
  retryFailureFunction: resumes["/v2/workflows/dlq/callback/:id"].POST,
  cancelFailureFunction: resumes["/v2/workflows/dlq/callback/:id"].DELETE,
  retryRollbacks: resumes["/v2/workflows/dlq/rollback/:id"].POST,
};

/** A page of dead letters. The last page has no `cursor`. */
export type DeadLetterPage = Answer<typeof ROUTE.GET>;

/** A message, or a run's delivery, that failed permanently. */
export type DeadLetterInfo = Answer<typeof ROUTE.GET_ONE>;

/** A page of groups of dead letters. The last page has no `cursor`. */
export type DeadLetterGroupPage = Answer<typeof ROUTE.groups>;

/** The new runs that continue failed runs. */
export type ResumedRuns = Answer<typeof ROUTE.resume>;

/** A new run that continues a failed run. */
export type ResumedRun = Answer<typeof ROUTE.retryFailureFunction>;

/** The new messages of dead letters that were published again. */
export type RetriedMessages = Answer<typeof ROUTE.retry>;

/** A selection of dead letters: at most `count` of them, 100 by default. */
export type DeadLetterSelection = Selection<DeadLetterFilters> & Page;

/** The dead letter queue. */
export interface DeadLettersApi {
  /**
   * Lists dead letters, the newest first.
   *
   * @example
   * ```ts
   * const { messages } = await engine.dlq.list({
   *   source: "workflow",
   *   workflowUrl: "https://app.example.com/order",
   * });
   * ```
   */
  list(filters?: DeadLetterFilters & Order & Page): Promise<DeadLetterPage>;
  /**
   * Lists the groups of dead letters whose errors differ only in their values, the most recent first. Their `fingerprint`
   * is a filter of all other methods.
   *
   * @example
   * ```ts
   * const { groups } = await engine.dlq.groups();
   * for (const { errorName, message, count } of groups) console.log(`${count} × ${errorName}: ${message}`);
   * ```
   */
  groups(filters?: DeadLetterFilters & Page): Promise<DeadLetterGroupPage>;
  /**
   * Gets a dead letter.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * const { error, responseStatus } = await engine.dlq.get(dlqId);
   * ```
   */
  get(dlqId: string): Promise<DeadLetterInfo>;
  /**
   * Resumes failed runs as new runs from the point of failure. The new runs keep the recorded steps.
   *
   * @throws EngineError `not_found` or `conflict` for an id of no failed run, or of a run with rollbacks in
   * progress
   * @example
   * ```ts
   * const { workflowRuns } = await engine.dlq.resume(dlqId, { retries: 5 });
   * ```
   */
  resume(which: string | DeadLetterSelection, options?: ResumeOptions): Promise<ResumedRuns>;
  /**
   * Restarts failed runs from the beginning, as new runs with the same payloads.
   *
   * @throws EngineError like {@link DeadLettersApi.resume}
   * @example
   * ```ts
   * const { workflowRuns } = await engine.dlq.restart({ label: "import" });
   * ```
   */
  restart(which: string | DeadLetterSelection, options?: ResumeOptions): Promise<ResumedRuns>;
  /**
   * Publishes failed messages again, as new messages. It ignores dead letters of runs: resume or restart
   * those.
   *
   * @throws EngineError `not_found` for an id of no failed message
   * @example
   * ```ts
   * const { responses } = await engine.dlq.retry({ all: true }, { delay: "5m" });
   * ```
   */
  retry(which: string | DeadLetterSelection, options?: RetryOptions): Promise<RetriedMessages>;
  /**
   * Deletes dead letters permanently.
   *
   * @throws EngineError `not_found` for an id of no dead letter
   * @throws TypeError for a selection without a filter
   * @example
   * ```ts
   * const { deleted } = await engine.dlq.delete({ toDate: Date.now() - 7 * 86_400_000 });
   * ```
   */
  delete(
    which: string | DeadLetterSelection,
  ): Promise<{ readonly deleted: number; readonly cursor?: string }>;
  /**
   * Calls a run's failure function again, after it failed or was cancelled.
   *
   * @throws EngineError `not_found` or `conflict`
   * @example
   * ```ts
   * await engine.dlq.retryFailureFunction(dlqId);
   * ```
   */
  retryFailureFunction(dlqId: string): Promise<ResumedRun>;
  /**
   * Cancels a run's failure function: the engine makes no more attempts to call it.
   *
   * @throws EngineError `not_found` or `conflict`
   * @example
   * ```ts
   * await engine.dlq.cancelFailureFunction(dlqId);
   * ```
   */
  cancelFailureFunction(dlqId: string): Promise<void>;
  /**
   * Runs the failed rollbacks of a failed run again, and nothing else.
   *
   * @throws EngineError `not_found` or `conflict`
   * @example
   * ```ts
   * await engine.dlq.retryRollbacks(dlqId);
   * ```
   */
  retryRollbacks(dlqId: string): Promise<ResumedRun>;
}

export function createDeadLettersApi({ call }: Caller): DeadLettersApi {
  const query = (owner: string, which: DeadLetterSelection) =>
    toQuery(selected<DeadLetterFilters & Page>(`dlq.${owner}`, which));
  const resume = async (
    kind: "resume" | "restart",
    which: string | DeadLetterSelection,
    options: ResumeOptions,
  ): Promise<ResumedRuns> => {
    const headers = resumeHeaders(`dlq.${kind}`, options);
    if (typeof which !== "string") return call(ROUTE[kind], { query: query(kind, which), headers });
    const run = await call(resumes[`/v2/workflows/dlq/${kind}/:id`].POST, { params: { id: which }, headers });
    return { workflowRuns: [run], cursor: "" };
  };
  return {
    groups: (filters = {}) => call(ROUTE.groups, { query: toQuery(filters) }),
    list: (filters = {}) => call(ROUTE.GET, { query: toQuery(filters) }),
    get: (id) => call(ROUTE.GET_ONE, { params: { id } }),
    resume: (which, options = {}) => resume("resume", which, options),
    restart: (which, options = {}) => resume("restart", which, options),
    async retry(which, options = {}) {
      const headers = retryHeaders("dlq.retry", options);
      if (typeof which !== "string") return call(ROUTE.retry, { query: query("retry", which), headers });
      const message = await call(retries["/v2/dlq/retry/:id"].POST, { params: { id: which }, headers });
      return { responses: [message], cursor: "" };
    },
    delete: async (which) =>
      typeof which === "string"
        ? call(ROUTE.DELETE_ONE, { params: { id: which } })
        : call(ROUTE.DELETE, { query: query("delete", which) }),
    retryFailureFunction: (id) => call(ROUTE.retryFailureFunction, { params: { id } }),
    async cancelFailureFunction(id) {
      await call(ROUTE.cancelFailureFunction, { params: { id } });
    },
    retryRollbacks: (id) => call(ROUTE.retryRollbacks, { params: { id } }),
  };
}
