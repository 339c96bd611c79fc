import { type HistoryEntry, isHistory } from "../protocol/history.ts";
import type { Message } from "../protocol/message.ts";
import type { NotifyResponse, WaitRequest } from "../protocol/wait.ts";
import { textFromBase64 } from "../util/bytes.ts";
import { WorkflowError } from "../util/errors.ts";
import { type CallApi, createApi, isStatus, toSegment } from "./api.ts";
import type { Connection } from "./http.ts";
import { type PublishOptions, publish, type Receipt } from "./publish.ts";

/** What the runtime asks of an engine. */
export interface Engine {
  /** What is underneath. */
  readonly connection: Connection;
  /** The client's own headers for deliveries to a workflow's URL, under the names that ask for them to be forwarded. */
  headersFor(url: string): Record<string, string>;
  /**
   * Publishes all of them or none.
   * @param subject what they are, for the error where the engine refuses them
   * @returns false when the engine refuses because the run is over
   * @throws WorkflowError `step_refused` when it refuses for another reason, as all that ask for something of a run
   */
  append(runId: string, messages: readonly Message[], subject: string): Promise<boolean>;
  /** Publishes messages that create runs, each for itself: the engine may take one and refuse another. */
  create(messages: readonly Message[]): Promise<readonly (Receipt | WorkflowError)[]>;
  /** The whole history of a live run, on our own engine also of one that has ended; undefined when there is none. */
  history(runId: string, which?: EndedRun): Promise<readonly HistoryEntry[] | undefined>;
  /** Records the run's result, as JSON text. @returns false when the run was over already */
  finish(runId: string, result: string | undefined): Promise<boolean>;
  /** Ends the run without a result. @returns as {@link finish} */
  cancel(runId: string): Promise<boolean>;
  /** Has an event recorded as a step's result once it comes. @returns as {@link append} */
  wait(runId: string, request: WaitRequest): Promise<boolean>;
  /**
   * Tells those who wait for an event, or one run, which may also come to wait later.
   * @param subject as of {@link append}, where a run notifies
   */
  notify(
    eventId: string,
    data: string | undefined,
    runId?: string,
    subject?: string,
  ): Promise<NotifyResponse[]>;
  /**
   * Where requests to a run's webhook go.
   * @throws WorkflowError `webhook_unavailable` when the token doesn't tell whose it is
   */
  webhookUrl(runId: string, eventId: string): string;
}

/** Of several runs that had an id, the last one where no time is given. */
interface EndedRun {
  readonly ended: true;
  readonly workflowCreatedAt: number | undefined;
}

/** An engine that is asked only when it is needed: whatever is wrong with its configuration is thrown then. */
export function toEngine(connection: Connection, options: PublishOptions): Engine {
  const { http } = connection;
  const callApi = createApi(() => http);
  return {
    connection,
    headersFor: (url) => (options.trustsDestination(url, url) ? Object.fromEntries(http.headers ?? []) : {}),
    create: (messages) => publish(http, messages, options),
    append: (runId, messages, subject) =>
      unlessEnded(callApi, runId, async () => {
        for (const receipt of await publish(http, messages, options, subject))
          if (receipt instanceof WorkflowError)
            throw new WorkflowError("step_refused", `${receipt.message} (${subject})`, { cause: receipt });
      }),
    history: (runId, which) => fetchHistory(callApi, runId, which),
    finish: (runId, result) => endRun(callApi, runId, false, result),
    cancel: (runId) => endRun(callApi, runId, true),
    wait: (runId, { eventId, headers, body }) =>
      unlessEnded(callApi, runId, () => {
        const subject = `the wait of step "${body.step.stepName}"`;
        const details = { headers, body: JSON.stringify(body), empty: true, subject };
        return callApi("POST", ["wait", toSegment(eventId)], details);
      }),
    notify: async (eventId, body, runId, subject) => {
      const path = ["notify", runId ?? [], eventId].flat().map(toSegment);
      const answer = callApi<NotifyResponse | NotifyResponse[]>("POST", path, { body, subject });
      // A run that has ended, or never was, waits for nothing.
      return [(await (runId === undefined ? answer : unlessNotFound(answer))) ?? []].flat();
    },
    webhookUrl: (runId, eventId) => {
      const user = userIdOf(connection.token);
      return [connection.baseUrl, "v2/workflows/hooks", user, toSegment(runId), eventId].join("/");
    },
  };
}

/** @returns undefined when the engine answers 404: the run has ended, or never was */
async function unlessNotFound<Answer>(call: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isStatus(error, 404)) return undefined;
    throw error;
  }
}

/** The engine says 400 to a run that is over, and to a request that it doesn't like. Only it can tell which. */
async function unlessEnded(callApi: CallApi, runId: string, act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (cause) {
    if (isStatus(cause, 400) && !(await fetchHistory(callApi, runId))) return false;
    throw cause;
  }
}

function userIdOf(token: unknown): string {
  try {
    const { UserID } = JSON.parse(textFromBase64(String(token)));
    if (typeof UserID === "string") return encodeURIComponent(UserID);
  } catch {
    // Not a token of that form: reported below.
  }
  const message = "A webhook needs the engine's user, and the engine's token names none.";
  throw new WorkflowError("webhook_unavailable", message);
}

async function fetchHistory(
  callApi: CallApi,
  runId: string,
  query: Partial<EndedRun> = {},
): Promise<HistoryEntry[] | undefined> {
  const history = await unlessNotFound(callApi<unknown>("GET", runPath(runId), { query }));
  if (history === undefined || isHistory(history)) return history;
  // The engine's fault and not the request's: the delivery is worth another attempt.
  throw new WorkflowError(
    "engine_refused",
    `The engine's history of run "${runId}" isn't a list of entries.`,
  );
}

async function endRun(callApi: CallApi, runId: string, cancel: boolean, body?: string): Promise<boolean> {
  const subject = cancel ? "the end of the run" : "the workflow's result";
  const details = { query: { cancel }, body, empty: true, subject };
  const ended = callApi("DELETE", runPath(runId), details).then(() => true);
  return (await unlessNotFound(ended)) ?? false;
}

function runPath(runId: string): string[] {
  return ["workflows", "runs", toSegment(runId)];
}
