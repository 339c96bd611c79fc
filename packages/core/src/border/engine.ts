import { Client, QstashError } from "@upstash/qstash";
import { messageOf, WorkflowError } from "../kernel/errors.ts";
import { type HistoryEntry, parseHistory } from "../protocol/history.ts";
import type { Message } from "../protocol/message.ts";

/** How to reach the engine. As in `@upstash/qstash`, whose client does the work. */
export interface EngineConfig {
  readonly baseUrl: string;
  readonly token: string;
  /** Sent with every delivery that this client asks for, as if each message had them. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly retry?: false | { retries?: number; backoff?: (retryCount: number) => number };
  readonly enableTelemetry?: boolean;
}

/** The engine's answer to one published message. */
export interface Receipt {
  readonly messageId: string;
  /** The engine had it already: nothing was done. */
  readonly deduplicated?: boolean;
}

/** What the runtime asks of an engine. */
export interface Engine {
  /** The client underneath, for user code. */
  readonly client: Client;
  /**
   * Publishes all of them or none.
   * @returns "ended" when the engine refuses because the run is over
   */
  append(runId: string, messages: readonly Message[]): Promise<readonly Receipt[] | "ended">;
  /** Publishes messages that create runs, each for itself: the engine may take one and refuse another. */
  create(messages: readonly Message[]): Promise<readonly (Receipt | WorkflowError)[]>;
  /** The whole history of a live run; undefined when the run is over or unknown. */
  history(runId: string): Promise<readonly HistoryEntry[] | undefined>;
  /** Records the run's result, as JSON text. @returns false when the run was over already */
  finish(runId: string, result: string | undefined): Promise<boolean>;
}

/** An engine that is asked only when it is needed: whatever is wrong with its configuration is thrown then. */
export function toEngine(client: Client): Engine {
  return {
    client,
    create: (messages) => publish(client, messages),
    append: (runId, messages) => append(client, runId, messages),
    history: (runId) => fetchHistory(client, runId),
    finish: (runId, result) => finish(client, runId, result),
  };
}

/**
 * The official client, without its development mode: that would download and start a server.
 * What it should talk to is decided by our own settings.
 */
export function createClient(config: EngineConfig): Client {
  return new Client({ ...config, devMode: false });
}

async function publish(client: Client, messages: readonly Message[]): Promise<(Receipt | WorkflowError)[]> {
  const requests = messages.map(({ url, headers, body }) => ({
    url,
    headers: { ...headers },
    method: "POST" as const,
    ...(body === undefined ? {} : { body }),
  }));
  const answers: unknown[] = await translate("publish", client.batch(requests));
  return answers.map((answer, at) => toReceipt(answer, messages[at]));
}

async function append(
  client: Client,
  runId: string,
  messages: readonly Message[],
): Promise<Receipt[] | "ended"> {
  try {
    const receipts = await publish(client, messages);
    return receipts.map((receipt) => {
      if (receipt instanceof WorkflowError) throw receipt;
      return receipt;
    });
  } catch (error) {
    // The engine says 400 to a run that is over, and to a message that it doesn't like. Only it can tell which.
    if (!isStatus(error, 400)) throw error;
    if ((await fetchHistory(client, runId)) === undefined) return "ended";
    throw new WorkflowError(
      "step_refused",
      `The engine refuses a step of the run: ${messageOf(error.cause)}`,
      { cause: error },
    );
  }
}

async function fetchHistory(client: Client, runId: string): Promise<HistoryEntry[] | undefined> {
  try {
    const entries = await translate("history", client.http.request({ path: runPath(runId), method: "GET" }));
    return parseHistory(JSON.stringify(entries));
  } catch (error) {
    if (isStatus(error, 404)) return undefined;
    throw error;
  }
}

async function finish(client: Client, runId: string, result: string | undefined): Promise<boolean> {
  try {
    await translate(
      "finish",
      client.http.request({
        path: runPath(runId),
        query: { cancel: false },
        method: "DELETE",
        parseResponseAsJson: false,
        ...(result === undefined ? {} : { body: result }),
      }),
    );
    return true;
  } catch (error) {
    if (isStatus(error, 404)) return false;
    throw error;
  }
}

function runPath(runId: string): string[] {
  return ["v2", "workflows", "runs", encodeURIComponent(runId)];
}

function toReceipt(answer: unknown, message: Message | undefined): Receipt | WorkflowError {
  const { messageId, deduplicated, error } = (answer ?? {}) as Partial<Receipt> & { error?: unknown };
  if (typeof messageId === "string") return { messageId, deduplicated: deduplicated === true };
  const reason = typeof error === "string" ? error : JSON.stringify(answer);
  return new WorkflowError("engine_refused", `The engine refuses the message for ${message?.url}: ${reason}`);
}

/** What the client throws, in our terms. */
async function translate<T>(what: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    if (!(cause instanceof QstashError)) {
      throw new WorkflowError(
        "engine_unreachable",
        `The engine can't be reached to ${what}: ${messageOf(cause)}`,
        { cause },
      );
    }
    const code = cause.status === 412 ? "quota_exceeded" : "engine_refused";
    throw new WorkflowError(code, `The engine answers ${cause.status} to ${what}: ${cause.message}`, {
      cause,
    });
  }
}

function isStatus(error: unknown, status: number): error is WorkflowError {
  return (
    error instanceof WorkflowError && error.cause instanceof QstashError && error.cause.status === status
  );
}
