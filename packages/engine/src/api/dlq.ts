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
  retry: retries["/v2/dlq/retry"].POST,
  resume: resumes["/v2/workflows/dlq/resume"].POST,
  restart: resumes["/v2/workflows/dlq/restart"].POST,
  retryFailureFunction: resumes["/v2/workflows/dlq/callback/:id"].POST,
  cancelFailureFunction: resumes["/v2/workflows/dlq/callback/:id"].DELETE,
  retryRollbacks: resumes["/v2/workflows/dlq/rollback/:id"].POST,
};

/** A page of dead letters; without a `cursor` it is the last one. */
export type DeadLetterPage = Answer<typeof ROUTE.GET>;

/** A message, or a run's delivery, that failed for good. */
export type DeadLetterInfo = Answer<typeof ROUTE.GET_ONE>;

/** The runs that failed runs go on as. */
export type ResumedRuns = Answer<typeof ROUTE.resume>;

/** A run that goes on. */
export type ResumedRun = Answer<typeof ROUTE.retryFailureFunction>;

/** The messages that dead letters became. */
export type RetriedMessages = Answer<typeof ROUTE.retry>;

/** Dead letters to act on: at most 100 of them, or `count`. */
export type DeadLetterSelection = Selection<DeadLetterFilters> & Page;

/** The dead letter queue. */
export interface DeadLettersApi {
  /**
   * Lists dead letters, the newest first.
   *
   * @example
   * ```ts
   * const { messages } = await engine.dlq.list({ source: "workflow", workflowUrl: "https://app.example.com/order" });
   * ```
   */
  list(filters?: DeadLetterFilters & Order & Page): Promise<DeadLetterPage>;
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
   * Goes on with failed runs where they failed, as new runs: everything on record stays.
   *
   * @throws EngineError `not_found` or `conflict` for one id that names no failed run, or whose rollbacks are under way
   * @example
   * ```ts
   * const { workflowRuns } = await engine.dlq.resume(dlqId, { retries: 5 });
   * ```
   */
  resume(which: string | DeadLetterSelection, options?: ResumeOptions): Promise<ResumedRuns>;
  /**
   * Starts failed runs anew, as new runs with the same payloads.
   *
   * @throws EngineError as {@link DeadLettersApi.resume}
   * @example
   * ```ts
   * const { workflowRuns } = await engine.dlq.restart({ label: "import" });
   * ```
   */
  restart(which: string | DeadLetterSelection, options?: ResumeOptions): Promise<ResumedRuns>;
  /**
   * Publishes failed messages again, as new messages. Dead letters of runs stay: they are resumed or restarted.
   *
   * @throws EngineError `not_found` for one id that names no failed message
   * @example
   * ```ts
   * const { responses } = await engine.dlq.retry({ all: true }, { delay: "5m" });
   * ```
   */
  retry(which: string | DeadLetterSelection, options?: RetryOptions): Promise<RetriedMessages>;
  /**
   * Takes dead letters out of the queue for ever.
   *
   * @throws EngineError `not_found` for one id of no dead letter
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
   * Calls a run's failure function again that failed itself, or was cancelled.
   *
   * @throws EngineError `not_found` or `conflict`
   * @example
   * ```ts
   * await engine.dlq.retryFailureFunction(dlqId);
   * ```
   */
  retryFailureFunction(dlqId: string): Promise<ResumedRun>;
  /**
   * Makes no more attempts to call a run's failure function.
   *
   * @throws EngineError `not_found` or `conflict`
   * @example
   * ```ts
   * await engine.dlq.cancelFailureFunction(dlqId);
   * ```
   */
  cancelFailureFunction(dlqId: string): Promise<void>;
  /**
   * Makes the rollbacks of a failed run again that failed, and nothing else.
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
