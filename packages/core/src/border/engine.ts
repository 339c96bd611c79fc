import { textFromBase64 } from "../kernel/bytes.ts";
import { WorkflowError } from "../kernel/errors.ts";
import { type HistoryEntry, parseHistory } from "../protocol/history.ts";
import type { Message } from "../protocol/message.ts";
import type { NotifyResponse, WaitRequest } from "../protocol/wait.ts";
import { ask, isStatus, toSegment } from "./api.ts";
import type { Connection, Http } from "./http.ts";
import { type Disclosure, publish, type Receipt } from "./publish.ts";

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
export function toEngine(connection: Connection, disclosure: Disclosure): Engine {
  const { http } = connection;
  return {
    connection,
    headersFor: (url) => (disclosure.knows(url, url) ? Object.fromEntries(http.headers ?? []) : {}),
    create: (messages) => publish(http, messages, disclosure),
    append: (runId, messages, subject) =>
      unlessEnded(http, runId, async () => {
        for (const receipt of await publish(http, messages, disclosure, subject))
          if (receipt instanceof WorkflowError)
            throw new WorkflowError("step_refused", `${receipt.message} (${subject})`, { cause: receipt });
      }),
    history: (runId, which) => fetchHistory(http, runId, which),
    finish: (runId, result) => end(http, runId, false, result),
    cancel: (runId) => end(http, runId, true),
    wait: (runId, { eventId, headers, body }) =>
      unlessEnded(http, runId, () => {
        const path = ["wait", toSegment(eventId)];
        const subject = `the wait of step "${body.step.stepName}"`;
        return ask(http, { method: "POST", path, headers, body: JSON.stringify(body), empty: true, subject });
      }),
    notify: async (eventId, body, runId, subject) => {
      const path = ["notify", runId ?? [], eventId].flat().map(toSegment);
      const asked = { method: "POST", path, body, subject } as const;
      try {
        return [await ask<NotifyResponse | NotifyResponse[]>(http, asked)].flat();
      } catch (error) {
        // The run has ended, or never was: it waits for nothing.
        if (runId !== undefined && isStatus(error, 404)) return [];
        throw error;
      }
    },
    webhookUrl: (runId, eventId) => {
      const user = userIdOf(connection.token);
      return [connection.baseUrl, "v2/workflows/hooks", user, toSegment(runId), eventId].join("/");
    },
  };
}

/** The engine says 400 to a run that is over, and to a request that it doesn't like. Only it can tell which. */
async function unlessEnded(http: Http, runId: string, act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (cause) {
    if (isStatus(cause, 400) && !(await fetchHistory(http, runId))) return false;
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
  const message =
    "A webhook's address names the engine's user, and the engine's token doesn't tell who that is.";
  throw new WorkflowError("webhook_unavailable", message);
}

async function fetchHistory(
  http: Http,
  runId: string,
  query: Partial<EndedRun> = {},
): Promise<HistoryEntry[] | undefined> {
  try {
    return parseHistory(JSON.stringify(await ask(http, { method: "GET", path: runPath(runId), query })));
  } catch (error) {
    if (isStatus(error, 404)) return undefined;
    if (!(error instanceof WorkflowError) || error.code !== "malformed_body") throw error;
    // The engine's fault and not the request's: the delivery is worth another attempt.
    throw new WorkflowError("engine_refused", error.message, { cause: error });
  }
}

async function end(http: Http, runId: string, cancel: boolean, body?: string): Promise<boolean> {
  const subject = cancel ? "the end of the run" : "the workflow's result";
  try {
    await ask(http, {
      method: "DELETE",
      path: runPath(runId),
      query: { cancel },
      body,
      empty: true,
      subject,
    });
    return true;
  } catch (error) {
    if (isStatus(error, 404)) return false;
    throw error;
  }
}

function runPath(runId: string): string[] {
  return ["workflows", "runs", toSegment(runId)];
}
