import { Client, QstashError } from "@upstash/qstash";
import { textFromBase64 } from "../kernel/bytes.ts";
import { messageOf, WorkflowError } from "../kernel/errors.ts";
import { VERSION } from "../kernel/version.ts";
import { HEADER } from "../protocol/headers.ts";
import { type HistoryEntry, parseHistory } from "../protocol/history.ts";
import type { Message } from "../protocol/message.ts";
import type { NotifyResponse, WaitRequest } from "../protocol/wait.ts";

/** How to reach the engine. As in `@upstash/qstash`, whose client does the work. */
export interface EngineConfig {
  /** Scheme and host, before `/v2`. */
  readonly baseUrl: string;
  /** Sent as a bearer. */
  readonly token: string;
  /** Sent with every delivery that this client asks for, as if each message had them. */
  readonly headers?: Readonly<Record<string, string>>;
  /** `false` as `disableTelemetry`. */
  readonly enableTelemetry?: boolean;
  /** Of requests that get no answer: 5 retries by default, after `backoff` milliseconds each. */
  readonly retry?: false | { retries?: number; backoff?: (retryCount: number) => number };
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
export function toEngine(client: Client, telemetry: boolean): Engine {
  const post = (messages: readonly Message[]) => publish(client, messages, telemetry);
  return {
    client,
    create: post,
    append: (runId, messages) => append(client, runId, () => post(messages)),
    history: (runId) => fetchHistory(client, runId),
    finish: (runId, result) => end(client, runId, { cancel: false, result }),
    cancel: (runId) => end(client, runId, { cancel: true, result: undefined }),
    wait: (runId, request) => wait(client, runId, request),
    notify: (eventId, data, runId) => notify(client, eventId, data, runId),
    webhookUrl: (runId, eventId) => webhookUrl(client, runId, eventId),
  };
}

/**
 * The official client, without its development mode: that would download and start a server.
 * What it should talk to is decided by our own settings.
 */
export function createClient(config: EngineConfig): Client {
  return new Client({ ...config, devMode: false });
}

// One request for all of them. Not by the client's own `batch`, which would add what it wants to be known of it.
async function publish(
  client: Client,
  messages: readonly Message[],
  telemetry: boolean,
): Promise<(Receipt | WorkflowError)[]> {
  const items = messages.map(({ url, method = "POST", headers, body, untold }) => ({
    destination: url,
    headers: {
      ...lowered(client.http.headers ?? []),
      ...(telemetry && !untold ? TELEMETRY : {}),
      ...lowered(Object.entries({ [HEADER.method]: method, ...headers })),
    },
    ...(body === undefined ? {} : { body }),
  }));
  const request = client.http.request<unknown>({
    path: ["v2", "batch"],
    method: "POST",
    headers: { [HEADER.contentType]: "application/json" },
    body: JSON.stringify(items),
  });
  const answers = [await translate("publish", request)].flat();
  return messages.map((message, at) => toReceipt(answers[at], message));
}

function lowered(headers: Iterable<[string, string]>): Record<string, string> {
  const list: Record<string, string> = {};
  for (const [name, value] of headers) list[name.toLowerCase()] = value;
  return list;
}

const TELEMETRY = lowered([
  [HEADER.telemetrySdk, `@perdure/core@${VERSION}`],
  [HEADER.telemetryRuntime, globalThis.navigator?.userAgent ?? "unknown"],
]);

async function append(
  client: Client,
  runId: string,
  post: () => Promise<(Receipt | WorkflowError)[]>,
): Promise<Receipt[] | "ended"> {
  return unlessEnded(client, runId, async () => {
    const receipts = await post();
    return receipts.map((receipt) => {
      if (receipt instanceof WorkflowError) throw receipt;
      return receipt;
    });
  });
}

function wait(
  client: Client,
  runId: string,
  { eventId, headers, body }: WaitRequest,
): Promise<"waiting" | "ended"> {
  return unlessEnded(client, runId, async (): Promise<"waiting"> => {
    const request = client.http.request({
      path: ["v2", "wait", toSegment(eventId)],
      method: "POST",
      headers: { ...headers },
      body: JSON.stringify(body),
      parseResponseAsJson: false,
    });
    await translate("wait", request);
    return "waiting";
  });
}

/** The engine says 400 to a run that is over, and to a request that it doesn't like. Only it can tell which. */
async function unlessEnded<T>(client: Client, runId: string, act: () => Promise<T>): Promise<T | "ended"> {
  try {
    return await act();
  } catch (error) {
    if (!isStatus(error, 400)) throw error;
    if ((await fetchHistory(client, runId)) === undefined) return "ended";
    const reason = messageOf(error.cause);
    throw new WorkflowError("step_refused", `The engine refuses a step of the run: ${reason}`, {
      cause: error,
    });
  }
}

async function notify(
  client: Client,
  eventId: string,
  data: string | undefined,
  runId?: string,
): Promise<NotifyResponse[]> {
  const path = ["v2", "notify", ...(runId === undefined ? [] : [toSegment(runId)]), toSegment(eventId)];
  const request = client.http.request<NotifyResponse | NotifyResponse[]>({
    path,
    method: "POST",
    ...(data === undefined ? {} : { body: data }),
  });
  return [await translate("notify", request)].flat();
}

function webhookUrl(client: Client, runId: string, eventId: string): string {
  const baseUrl = String(Reflect.get(client.http, "baseUrl"));
  return [baseUrl, "v2", "workflows", "hooks", userIdOf(Reflect.get(client, "token")), runId, eventId].join(
    "/",
  );
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

async function fetchHistory(client: Client, runId: string): Promise<HistoryEntry[] | undefined> {
  try {
    const entries = await translate("history", client.http.request({ path: runPath(runId), method: "GET" }));
    return parseHistory(JSON.stringify(entries));
  } catch (error) {
    if (isStatus(error, 404)) return undefined;
    throw error;
  }
}

async function end(
  client: Client,
  runId: string,
  { cancel, result }: { cancel: boolean; result: string | undefined },
): Promise<boolean> {
  try {
    const request = client.http.request({
      path: runPath(runId),
      query: { cancel },
      method: "DELETE",
      parseResponseAsJson: false,
      ...(result === undefined ? {} : { body: result }),
    });
    await translate(cancel ? "cancel" : "finish", request);
    return true;
  } catch (error) {
    if (isStatus(error, 404)) return false;
    throw error;
  }
}

function runPath(runId: string): string[] {
  return ["v2", "workflows", "runs", toSegment(runId)];
}

/** One segment of a path, whatever the text: a "/" or "?" in it would be read as the end of it. */
function toSegment(text: string): string {
  if (text === "") throw new TypeError("An id must not be empty.");
  return encodeURIComponent(text).replace(/%(?:3A|40|24|26|2B|2C|3B|3D)/g, decodeURIComponent);
}

function toReceipt(answer: unknown, message: Message | undefined): Receipt | WorkflowError {
  const { messageId, deduplicated, error } = (answer ?? {}) as Partial<Receipt> & { error?: unknown };
  if (typeof messageId === "string") return { messageId, deduplicated: deduplicated === true };
  const reason = typeof error === "string" ? error : JSON.stringify(answer);
  return new WorkflowError("engine_refused", `The engine refuses the message for ${message?.url}: ${reason}`);
}

/** What the client throws, in our terms. */
export async function translate<T>(what: string, call: Promise<T>): Promise<T> {
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
