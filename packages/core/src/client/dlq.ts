import { type CallApi, toSegment } from "../engine-client/api.ts";
import type { DeadLetter, FailureFunctionState } from "../protocol/log.ts";
import { changedOptionHeaders, type RunOptions } from "../protocol/message.ts";
import type { FlowControl } from "../protocol/options.ts";
import { type CommonFilters, pickPage, type Selection, select } from "./select.ts";

/** Filters for dead letters. A dead letter must match all of them. */
export interface DeadLetterFilters extends CommonFilters {
  /** The full URL of the endpoint. */
  readonly workflowUrl?: string | readonly string[];
  /** The URL of the delivery that failed. */
  readonly url?: string | readonly string[];
  readonly workflowRunId?: string;
  /** Milliseconds since 1970: selects one of several runs with the same id. */
  readonly workflowCreatedAt?: number;
  /** Status of the last attempt; 0 when there was no answer. */
  readonly responseStatus?: number;
  /** State of the failure function. */
  readonly failureFunctionState?: FailureFunctionState;
}

/** A page of dead letters, the newest first. The last page has no cursor. */
export interface DeadLetterPage {
  readonly messages: DeadLetter[];
  readonly cursor?: string;
}

/** Selects dead letters: by their ids, by a filter, or all. */
export type DeadLetterSelection = Selection<"dlqIds", DeadLetterFilters>;

/** Options that change when a run is retried. Engines other than Perdure's only support `retries` and `flowControl`. */
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
  /** Retries of each delivery, after the first attempt. All engines support it. */
  readonly retries?: number;
  /** The limit that the run shares with others. All engines support it. */
  readonly flowControl?: FlowControl;
}

/** The new run that continues a failed one. */
export interface RetriedRun {
  readonly workflowRunId: string;
  /** Milliseconds since 1970. */
  readonly workflowCreatedAt: number;
}

/** The new runs that continue failed ones. */
export interface RetriedRuns {
  readonly workflowRuns: RetriedRun[];
  /** Selects the next part of the selection; undefined for the last part. */
  readonly cursor?: string;
}

/** Manages failed runs. */
export class DeadLetters {
  readonly #callApi: CallApi;

  constructor(callApi: CallApi) {
    this.#callApi = callApi;
  }

  /**
   * Lists dead letters: `count` on a page, 100 by default.
   *
   * @example
   * ```ts
   * const { messages } = await client.dlq.list({ filter: { label: "order" } });
   * for (const { dlqId, responseBody } of messages) console.log(dlqId, responseBody);
   * ```
   */
  async list(
    options: { readonly cursor?: string; readonly count?: number; readonly filter?: DeadLetterFilters } = {},
  ): Promise<DeadLetterPage> {
    const { filter, ...page } = options;
    const query = { ...filter, ...page, source: "workflow" };
    return pickPage("messages", await this.#callApi<DeadLetterPage>("GET", ["dlq"], { query }));
  }

  /**
   * Continues failed runs as new runs, with the recorded steps. Removes their dead letters.
   *
   * @example
   * ```ts
   * const { workflowRuns } = await client.dlq.resume(dlqId, { retries: 5 });
   * await client.runs.wait(String(workflowRuns[0]?.workflowRunId));
   * ```
   */
  resume(selection: DeadLetterSelection, options: RetryOptions = {}): Promise<RetriedRuns> {
    return this.#retry("resume", selection, options);
  }

  /**
   * Restarts failed runs as new runs with the same payloads, without the recorded steps. Removes their dead letters.
   *
   * @example
   * ```ts
   * await client.dlq.restart({ filter: { workflowUrl: "https://app.example.com/order" }, count: 50 });
   * ```
   */
  restart(selection: DeadLetterSelection, options: RetryOptions = {}): Promise<RetriedRuns> {
    return this.#retry("restart", selection, options);
  }

  /**
   * Retries failure functions that have failed themselves. Engines other than Perdure's only accept a single `dlqId`.
   *
   * @example
   * ```ts
   * await client.dlq.retryFailureFunction({ dlqId });
   * ```
   */
  retryFailureFunction(one: { readonly dlqId: string }): Promise<RetriedRun>;
  retryFailureFunction(selection: DeadLetterSelection): Promise<RetriedRuns>;
  async retryFailureFunction(
    selection: { readonly dlqId: string } | DeadLetterSelection,
  ): Promise<RetriedRun | RetriedRuns> {
    if (typeof selection !== "object" || !("dlqId" in selection))
      return this.#retry("callback", selection, {});
    return this.#repeat("callback", selection.dlqId);
  }

  /**
   * Cancels the delivery to a failure function, and its retries.
   *
   * @example
   * ```ts
   * await client.dlq.cancelFailureFunction({ dlqId });
   * ```
   */
  async cancelFailureFunction({ dlqId }: { readonly dlqId: string }): Promise<void> {
    await this.#callApi("DELETE", ["workflows", "dlq", "callback", toSegment(dlqId)], { empty: true });
  }

  /**
   * Retries the run's failed rollbacks, and nothing else. Perdure's own engine only.
   *
   * @example
   * ```ts
   * await client.dlq.retryRollbacks({ dlqId });
   * ```
   */
  async retryRollbacks({ dlqId }: { readonly dlqId: string }): Promise<RetriedRun> {
    return this.#repeat("rollback", dlqId);
  }

  /**
   * Deletes dead letters, which makes it impossible to resume or restart their runs.
   *
   * @returns the number of deleted entries, and a cursor while there are more
   *
   * @example
   * ```ts
   * const { deleted } = await client.dlq.delete({ filter: { toDate: new Date("2027-01-01") } });
   * ```
   */
  async delete(selection: DeadLetterSelection): Promise<{ deleted: number; cursor?: string }> {
    const query = select(selection, "dlqIds");
    if (!query) return { deleted: 0 };
    const path = ["workflows", "dlq"];
    return pickPage(
      "deleted",
      await this.#callApi<{ deleted: number; cursor?: string }>("DELETE", path, { query }),
    );
  }

  #repeat(action: "callback" | "rollback", dlqId: string): Promise<RetriedRun> {
    return this.#callApi("POST", ["workflows", "dlq", action, toSegment(dlqId)]);
  }

  async #retry(
    action: "resume" | "restart" | "callback",
    selection: DeadLetterSelection,
    options: RetryOptions,
  ): Promise<RetriedRuns> {
    const query = select(selection, "dlqIds");
    if (!query) return { workflowRuns: [] };
    const details = { query, headers: changedOptionHeaders(options) };
    return pickPage(
      "workflowRuns",
      await this.#callApi<RetriedRuns>("POST", ["workflows", "dlq", action], details),
    );
  }
}
