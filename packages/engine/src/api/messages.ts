import { logs as logRoutes } from "../http/logs.ts";
import { messages as routes } from "../http/messages.ts";
import type { Answer } from "./answer.ts";
import type { Caller } from "./caller.ts";
import { type CancelMessageFilters, type LogFilters, type Selection, selected, toQuery } from "./filters.ts";

const { GET, DELETE } = routes["/v2/messages/:id"];
const LOGS = logRoutes["/v2/logs"].GET;

/** A message that is on its way, or arrived a short while ago. */
export type MessageInfo = Answer<typeof GET>;

/** A page of the log of messages; without a `cursor` it is the last one. */
export type LogPage = Answer<typeof LOGS>;

/** Messages that aren't at their end. */
export interface MessagesApi {
  /**
   * Gets a message that is on its way, or arrived within `retention.messages`.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * const { url, notBefore } = await engine.messages.get(messageId);
   * ```
   */
  get(messageId: string): Promise<MessageInfo>;
  /**
   * Cancels a message by its id, the messages that match, or all. A run that is left with nothing to do is cancelled with
   * its message.
   *
   * @throws EngineError `not_found` for an id of no message that is on its way
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
