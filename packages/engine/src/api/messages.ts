import { logs as logRoutes } from "../http/logs.ts";
import { messages as routes } from "../http/messages.ts";
import { waiting } from "../http/waiting.ts";
import type { DueStatus } from "../rules/message-status.ts";
import type { Answer } from "./answer.ts";
import type { Caller } from "./caller.ts";
import {
  type CancelMessageFilters,
  type LogFilters,
  type OneOrMore,
  type Page,
  type Selection,
  selected,
  toQuery,
} from "./filters.ts";

const { GET, DELETE } = routes["/v2/messages/:id"];
const PENDING = waiting["/v2/workflows/pending"].GET;
const LOGS = logRoutes["/v2/logs"].GET;

/** A message that is in progress or was delivered recently. */
export type MessageInfo = Answer<typeof GET>;

/** A page of the log of messages. The last page has no `cursor`. */
export type LogPage = Answer<typeof LOGS>;

/** A page of messages that aren't at their end. The last page has no `cursor`. */
export type PendingPage = Answer<typeof PENDING>;

/** Filters of messages that aren't at their end. */
export interface PendingFilters extends Page {
  /** Key of the flow control. */
  readonly flowControlKey?: OneOrMore<string>;
  /** Name of the queue. */
  readonly queueName?: OneOrMore<string>;
  /** The status of the message: the reason why it waits. */
  readonly status?: OneOrMore<Exclude<DueStatus, "withdrawn">>;
  /** Id of the run. */
  readonly workflowRunId?: OneOrMore<string>;
}

/** Messages that are in progress. */
export interface MessagesApi {
  /**
   * Gets a message that is in progress or was delivered within `retention.messages`.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * const { url, notBefore } = await engine.messages.get(messageId);
   * ```
   */
  get(messageId: string): Promise<MessageInfo>;
  /**
   * Lists messages that aren't at their end, the earliest first, and what they wait for.
   *
   * @example
   * ```ts
   * const { messages } = await engine.messages.pending({ flowControlKey: "stripe", status: "throttled" });
   * ```
   */
  pending(filters?: PendingFilters): Promise<PendingPage>;
  /**
   * Cancels a message by its id, the messages that match, or all. If a run has nothing left to do without its
   * message, the engine cancels the run too.
   *
   * @throws EngineError `not_found` for an id of no message in progress
   * @throws TypeError for a selection without a filter
   * @example
   * ```ts
   * await engine.messages.cancel(messageId);
   * const { cancelled } = await engine.messages.cancel({ urlGroup: "orders" });
   * ```
   */
  cancel(which: string | Selection<CancelMessageFilters>): Promise<{ readonly cancelled: number }>;
}

/** The log of messages. */
export interface LogsApi {
  /**
   * Lists the changes of messages' states, the newest first.
   *
   * @example
   * ```ts
   * const { logs } = await engine.logs.list({ state: "FAILED", fromDate: Date.now() - 86_400_000 });
   * ```
   */
  list(filters?: LogFilters): Promise<LogPage>;
}

export function createMessagesApi({ call }: Caller): MessagesApi {
  return {
    get: (id) => call(GET, { params: { id } }),
    pending: (filters = {}) => call(PENDING, { query: filters }),
    async cancel(which) {
      if (typeof which === "string") return call(DELETE, { params: { id: which } });
      const query = toQuery(selected<CancelMessageFilters>("messages.cancel", which));
      return call(routes["/v2/messages"].DELETE, { query });
    },
  };
}

export function createLogsApi({ call }: Caller): LogsApi {
  return { list: (filters = {}) => call(LOGS, { query: toQuery(filters) }) };
}
