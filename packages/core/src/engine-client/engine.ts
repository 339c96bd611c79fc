import { appenders } from "#appenders";
import * as HEADER from "../protocol/header-names.ts";
import { type HistoryEntry, isHistory } from "../protocol/history.ts";
import type { InlineMessage } from "../protocol/inline.ts";
import type { Message } from "../protocol/message.ts";
import { userIdIn } from "../protocol/token.ts";
import type { NotifyResponse, WaitRequest } from "../protocol/wait.ts";
import { WorkflowError } from "../util/errors.ts";
import { type CallApi, createApi, type Details, isStatus, toSegment } from "./api.ts";
import { type Append, createAppend } from "./append-queue.ts";
import type { Connection } from "./http.ts";
import { type PublishOptions, publish, type Receipt, toBatchItem } from "./publish.ts";
import { createSendQueue } from "./send-queue.ts";

/** The requests that the runtime sends to an engine. */
export interface Engine {
  readonly connection: Connection;
  /** The client's own headers for deliveries to a workflow's URL, with the prefix that makes the engine forward them. */
  headersFor(url: string): Record<string, string>;
  /**
   * Appends messages to a run: all of them or none.
   * @param subject describes the messages in the error for a refusal
   * @returns false when the run has ended
   * @throws WorkflowError `step_refused` when the engine refuses them for another reason
   */
  append(runId: string, messages: readonly Message[], subject: string): Promise<boolean>;
  /** Returns a function that appends to runs that run inline, for one invocation. */
  appender(): Append;
  /** The message as an item of a batch. */
  toBatchItem(message: Message): InlineMessage;
  /** Publishes messages that create runs. The engine may accept one and refuse another. */
  create(messages: readonly Message[]): Promise<readonly (Receipt | WorkflowError)[]>;
  /** Fetches a live run's whole history, or an ended run's from Perdure's own engine; undefined when there is no such run. */
  history(runId: string, ended?: EndedRun): Promise<readonly HistoryEntry[] | undefined>;
  /**
   * Ends the run with its result, a JSON string.
   *
   * @param lease of an inline invocation, which must hold the run
   * @returns false when there is no such run, or the lease doesn't hold it
   */
  finish(runId: string, result: string | undefined, lease?: string): Promise<boolean>;
  /** Ends the run without a result. @returns as {@link finish} */
  cancel(runId: string): Promise<boolean>;
  /** Asks the engine to record an event as a step's result. @returns as {@link append} */
  wait(runId: string, request: WaitRequest): Promise<boolean>;
  /**
   * Notifies the runs that wait for an event, or one run, even if it starts to wait later.
   * @param subject as for {@link append}, when a run notifies
   */
  notify(
    eventId: string,
    data: string | undefined,
    runId?: string,
    subject?: string,
  ): Promise<NotifyResponse[]>;
  /**
   * Returns the URL of a run's webhook.
   * @throws WorkflowError `webhook_unavailable` when the token doesn't contain a user
   */
  webhookUrl(runId: string, eventId: string): string;
}

/** Requests that create runs. More of them, each on a connection of its own, take longer than fewer larger ones. */
const MAX_CREATES_IN_FLIGHT = 8;

/** Selects an ended run. Without a time, the last run with the id. */
interface EndedRun {
  readonly ended: true;
  readonly workflowCreatedAt: number | undefined;
}

/** Creates the engine of a connection. It sends a request only when a method is called. */
export function toEngine(connection: Connection, options: PublishOptions): Engine {
  const { http } = connection;
  const callApi = createApi(() => http);
  const create = (messages: readonly Message[]) => publish(http, messages, options);
  const createTogether = appenders(() => createSendQueue(MAX_CREATES_IN_FLIGHT, create));
  return {
    connection,
    headersFor: (url) => (options.trustsDestination(url, url) ? Object.fromEntries(http.headers ?? []) : {}),
    appender: appenders(() => createAppend(callApi)),
    toBatchItem: (message) => toBatchItem(http, message, options),
    // A client that the user gives is called once for each call.
    create: connection.client
      ? create
      : async (messages) =>
          messages.length === 1 ? [await createTogether()(messages[0] as Message)] : create(messages),
    append: (runId, messages, subject) =>
      unlessEnded(callApi, runId, async () => {
        for (const receipt of await publish(http, messages, options, subject))
          if (receipt instanceof WorkflowError)
            throw new WorkflowError("step_refused", `${receipt.message} (${subject})`, { cause: receipt });
      }),
    history: (runId, ended) => fetchHistory(callApi, runId, ended),
    finish: (runId, body, lease) =>
      endRun(callApi, runId, {
        query: { cancel: false },
        body,
        headers: lease ? { [HEADER.lease]: lease } : {},
        subject: "the workflow's result",
      }),
    cancel: (runId) => endRun(callApi, runId, { query: { cancel: true }, subject: "the end of the run" }),
    wait: (runId, { eventId, headers, body }) =>
      unlessEnded(callApi, runId, () => {
        const subject = `the wait of step "${body.step.stepName}"`;
        const details = { headers, body: JSON.stringify(body), empty: true, subject };
        return callApi("POST", ["wait", toSegment(eventId)], details);
      }),
    notify: async (eventId, body, runId, subject) => {
      const path = ["notify", runId ?? [], eventId].flat().map(toSegment);
      const answer = callApi<NotifyResponse | NotifyResponse[]>("POST", path, { body, subject });
      // The engine answers 404 for a run that has ended, or never existed: it waits for no event.
      return [(await (runId === undefined ? answer : unlessNotFound(answer))) ?? []].flat();
    },
    webhookUrl: (runId, eventId) => {
      const user = userIdIn(String(connection.token));
      if (!user) throw new WorkflowError("webhook_unavailable", NO_USER);
      const path = ["v2/workflows/hooks", encodeURIComponent(user), toSegment(runId), eventId];
      return [connection.baseUrl, ...path].join("/");
    },
  };
}

const NO_USER = "The engine's token names no user for a webhook.";

/** @returns undefined when the engine answers 404: the run has ended, or never existed */
async function unlessNotFound<Answer>(call: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isStatus(error, 404)) return undefined;
    throw error;
  }
}

/** The engine answers 400 for an ended run and for an invalid request. A second request finds out which. */
async function unlessEnded(callApi: CallApi, runId: string, act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (cause) {
    if (isStatus(cause, 400) && !(await fetchHistory(callApi, runId))) return false;
    throw cause;
  }
}

async function fetchHistory(
  callApi: CallApi,
  runId: string,
  query: Partial<EndedRun> = {},
): Promise<HistoryEntry[] | undefined> {
  const history = await unlessNotFound(callApi<unknown>("GET", runPath(runId), { query }));
  if (history === undefined || isHistory(history)) return history;
  // The engine is at fault, not the request, so the delivery may be retried.
  throw new WorkflowError(
    "engine_refused",
    `The engine's history of run "${runId}" isn't a list of entries.`,
  );
}

async function endRun(callApi: CallApi, runId: string, details: Details): Promise<boolean> {
  const ended = callApi("DELETE", runPath(runId), { ...details, empty: true }).then(() => true);
  return (await unlessNotFound(ended)) ?? false;
}

function runPath(runId: string): string[] {
  return ["workflows", "runs", toSegment(runId)];
}
