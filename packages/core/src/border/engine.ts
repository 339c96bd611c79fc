import { textFromBase64 } from "../kernel/bytes.ts";
import { messageOf, WorkflowError } from "../kernel/errors.ts";
import { type HistoryEntry, parseHistory } from "../protocol/history.ts";
import type { Message } from "../protocol/message.ts";
import type { NotifyResponse, WaitRequest } from "../protocol/wait.ts";
import { ask, isStatus, toSegment } from "./api.ts";
import type { Connection } from "./http.ts";
import { publish, type Receipt } from "./publish.ts";

/** What the runtime asks of an engine. */
export interface Engine {
  /** What is underneath. */
  readonly connection: Connection;
  /**
   * Publishes all of them or none.
   * @returns "ended" when the engine refuses because the run is over
   */
  append(runId: string, messages: readonly Message[]): Promise<readonly Receipt[] | "ended">;
  /** Publishes messages that create runs, each for itself: the engine may take one and refuse another. */
  create(messages: readonly Message[]): Promise<readonly (Receipt | WorkflowError)[]>;
  /** The whole history of a live run, on our own engine also of one that has ended; undefined when there is none. */
  history(runId: string, which?: { readonly ended: true }): Promise<readonly HistoryEntry[] | undefined>;
  /** Records the run's result, as JSON text. @returns false when the run was over already */
  finish(runId: string, result: string | undefined): Promise<boolean>;
  /** Ends the run without a result. @returns as {@link finish} */
  cancel(runId: string): Promise<boolean>;
  /** Has an event recorded as a step's result once it comes. @returns "ended" as {@link append} */
  wait(runId: string, request: WaitRequest): Promise<"waiting" | "ended">;
  /** Tells those who wait for an event, or one run, which may also come to wait later. */
  notify(eventId: string, data: string | undefined, runId?: string): Promise<readonly NotifyResponse[]>;
  /**
   * Where requests to a run's webhook go.
   * @throws WorkflowError `webhook_unavailable` when the token doesn't tell whose it is
   */
  webhookUrl(runId: string, eventId: string): string;
}

/** An engine that is asked only when it is needed: whatever is wrong with its configuration is thrown then. */
export function toEngine(connection: Connection, telemetry: boolean): Engine {
  const post = (messages: readonly Message[]) => publish(connection.http, messages, telemetry);
  return {
    connection,
    create: post,
    append: (runId, messages) => append(connection, runId, () => post(messages)),
    history: (runId, which) => fetchHistory(connection, runId, which),
    finish: (runId, result) => end(connection, runId, false, result),
    cancel: (runId) => end(connection, runId, true),
    wait: (runId, request) => wait(connection, runId, request),
    notify: (eventId, data, runId) => notify(connection, eventId, data, runId),
    webhookUrl: (runId, eventId) => webhookUrl(connection, runId, eventId),
  };
}

async function append(
  connection: Connection,
  runId: string,
  post: () => Promise<(Receipt | WorkflowError)[]>,
): Promise<Receipt[] | "ended"> {
  return unlessEnded(connection, runId, async () => {
    const receipts = await post();
    return receipts.map((receipt) => {
      if (receipt instanceof WorkflowError) throw receipt;
      return receipt;
    });
  });
}

function wait(
  connection: Connection,
  runId: string,
  { eventId, headers, body }: WaitRequest,
): Promise<"waiting" | "ended"> {
  return unlessEnded(connection, runId, async (): Promise<"waiting"> => {
    const path = ["wait", toSegment(eventId)];
    await ask(connection.http, { method: "POST", path, headers, body: JSON.stringify(body), empty: true });
    return "waiting";
  });
}

/** The engine says 400 to a run that is over, and to a request that it doesn't like. Only it can tell which. */
async function unlessEnded<T>(
  connection: Connection,
  runId: string,
  act: () => Promise<T>,
): Promise<T | "ended"> {
  try {
    return await act();
  } catch (error) {
    if (!isStatus(error, 400)) throw error;
    if ((await fetchHistory(connection, runId)) === undefined) return "ended";
    const reason = messageOf(error.cause);
    throw new WorkflowError("step_refused", `The engine refuses a step of the run: ${reason}`, {
      cause: error,
    });
  }
}

async function notify(
  connection: Connection,
  eventId: string,
  data: string | undefined,
  runId?: string,
): Promise<NotifyResponse[]> {
  const path = ["notify", ...(runId === undefined ? [] : [toSegment(runId)]), toSegment(eventId)];
  const told = ask<NotifyResponse | NotifyResponse[]>(connection.http, { method: "POST", path, body: data });
  return [await told].flat();
}

function webhookUrl({ baseUrl, token }: Connection, runId: string, eventId: string): string {
  return [baseUrl, "v2", "workflows", "hooks", userIdOf(token), runId, eventId].join("/");
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
  { http }: Connection,
  runId: string,
  query: { readonly ended?: true } = {},
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

async function end(
  connection: Connection,
  runId: string,
  cancel: boolean,
  result?: string,
): Promise<boolean> {
  try {
    const path = runPath(runId);
    await ask(connection.http, { method: "DELETE", path, query: { cancel }, body: result, empty: true });
    return true;
  } catch (error) {
    if (isStatus(error, 404)) return false;
    throw error;
  }
}

function runPath(runId: string): string[] {
  return ["workflows", "runs", toSegment(runId)];
}
