import { type CallApi, toSegment } from "../engine-client/api.ts";
import type { DeadLetter, FailureFunctionState } from "../protocol/log.ts";
import { changedOptionHeaders, type RunOptions } from "../protocol/message.ts";
import type { FlowControl } from "../protocol/options.ts";
import { type CommonFilters, pickPage, type Selection, select } from "./select.ts";

/** What can be asked of dead letters. All that are given must match. */
export interface DeadLetterFilters extends CommonFilters {
  /** The whole URL of the endpoint. */
  readonly workflowUrl?: string | readonly string[];
  /** Of the delivery that failed. */
  readonly url?: string | readonly string[];
  readonly workflowRunId?: string;
  /** Milliseconds since 1970: of several runs with one id, this one. */
  readonly workflowCreatedAt?: number;
  /** Of the last attempt; 0 when there was no answer. */
  readonly responseStatus?: number;
  /** What became of the failure function. */
  readonly failureFunctionState?: FailureFunctionState;
}

/** A page of dead letters, the newest first; without a cursor when it is the last. */
export interface DeadLetterPage {
  readonly messages: DeadLetter[];
  readonly cursor?: string;
}

/** Which dead letters. */
export type DeadLetterSelection = Selection<"dlqIds", DeadLetterFilters>;

/** What may be different when a run is tried again: the rest stays as it was. But for two, on Perdure's own engine. */
export interface RetryOptions
  extends Pick<
    RunOptions,
    | "retryDelay"
    | "label"
    | "delay"
    | "notBefore"
    | "timeout"
    | "redact"
    | "failureUrl"
    | "failureRetries"
    | "failureRetryDelay"
  > {
  /** Of each delivery, after the first attempt. Also on other engines. */
  readonly retries?: number;
  /** Also on other engines. */
  readonly flowControl?: FlowControl;
}

/** The run that a failed one goes on as. */
export interface RetriedRun {
  readonly workflowRunId: string;
  /** Milliseconds since 1970. */
  readonly workflowCreatedAt: number;
}

/** The runs that failed ones go on as. */
export interface RetriedRuns {
  readonly workflowRuns: RetriedRun[];
  /** For the next part, where there is one. */
  readonly cursor?: string;
}

/** Looks after failed runs. */
export class DeadLetters {
  readonly #callApi: CallApi;

  constructor(callApi: CallApi) {
    this.#callApi = callApi;
  }

  /** A page, `count` entries long: 100 unless less is said. */
  async list(
    options: { readonly cursor?: string; readonly count?: number; readonly filter?: DeadLetterFilters } = {},
  ): Promise<DeadLetterPage> {
    const { filter, ...page } = options;
    const query = { ...filter, ...page, source: "workflow" };
    return pickPage("messages", await this.#callApi<DeadLetterPage>("GET", ["dlq"], { query }));
  }

  /** Goes on, as new runs, where they failed: what is recorded stays. The entries are gone then. */
  resume(selection: DeadLetterSelection, options: RetryOptions = {}): Promise<RetriedRuns> {
    return this.#retry("resume", selection, options);
  }

  /** Begins anew, as new runs, with the same payloads. The entries are gone then. */
  restart(selection: DeadLetterSelection, options: RetryOptions = {}): Promise<RetriedRuns> {
    return this.#retry("restart", selection, options);
  }

  /** Has a failure function called again that has failed itself; on Perdure's own engine, also those of many runs. */
  retryFailureFunction(one: { readonly dlqId: string }): Promise<RetriedRun>;
  retryFailureFunction(selection: DeadLetterSelection): Promise<RetriedRuns>;
  async retryFailureFunction(
    which: { readonly dlqId: string } | DeadLetterSelection,
  ): Promise<RetriedRun | RetriedRuns> {
    if (typeof which !== "object" || !("dlqId" in which)) return this.#retry("callback", which, {});
    return this.#repeat("callback", which.dlqId);
  }

  /** Has a failure function called no more that is under way, or is to be called again. */
  async cancelFailureFunction({ dlqId }: { readonly dlqId: string }): Promise<void> {
    await this.#callApi("DELETE", ["workflows", "dlq", "callback", toSegment(dlqId)], { empty: true });
  }

  /** Has the rollbacks made again that failed, and nothing else. Perdure's own engine only. */
  async retryRollbacks({ dlqId }: { readonly dlqId: string }): Promise<RetriedRun> {
    return this.#repeat("rollback", dlqId);
  }

  /** Forgets entries: they can't be resumed or restarted then. @returns how many, and a cursor while there are more */
  async delete(selection: DeadLetterSelection): Promise<{ deleted: number; cursor?: string }> {
    const query = select(selection, "dlqIds");
    if (!query) return { deleted: 0 };
    const path = ["workflows", "dlq"];
    return pickPage(
      "deleted",
      await this.#callApi<{ deleted: number; cursor?: string }>("DELETE", path, { query }),
    );
  }

  #repeat(what: "callback" | "rollback", dlqId: string): Promise<RetriedRun> {
    return this.#callApi("POST", ["workflows", "dlq", what, toSegment(dlqId)]);
  }

  async #retry(
    how: "resume" | "restart" | "callback",
    selection: DeadLetterSelection,
    options: RetryOptions,
  ): Promise<RetriedRuns> {
    const query = select(selection, "dlqIds");
    if (!query) return { workflowRuns: [] };
    const details = { query, headers: changedOptionHeaders(options) };
    return pickPage(
      "workflowRuns",
      await this.#callApi<RetriedRuns>("POST", ["workflows", "dlq", how], details),
    );
  }
}
