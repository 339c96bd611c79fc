import type { Client } from "@upstash/qstash";
import * as HEADER from "../protocol/header-names.ts";
import * as PREFIX from "../protocol/header-prefixes.ts";
import { forward } from "../protocol/headers.ts";
import { isContentType } from "../protocol/options.ts";

/** How to reach the engine. As in `@upstash/qstash`. */
export interface EngineConfig {
  /** Scheme and host, before `/v2`. */
  readonly baseUrl: string;
  /** Sent as a bearer. */
  readonly token: string;
  /** Sent with every delivery that this client asks for, as if each message had them. */
  readonly headers?: Readonly<Record<string, string>>;
  /** `false` as `disableTelemetry`. */
  readonly enableTelemetry?: boolean;
  /** `true`: the local engine of `QSTASH_DEV=1`, for what isn't given; `false`: not that one, though the variable is set. */
  readonly devMode?: boolean;
  /** Of requests that get no answer: 5 retries by default, after `backoff` milliseconds each. */
  readonly retry?: false | { retries?: number; backoff?: (retryCount: number) => number };
}

/** Times, in the engine's queries, are milliseconds since 1970. What is undefined isn't asked for. */
export type Query = Readonly<
  Record<string, string | number | boolean | Date | readonly string[] | undefined>
>;

/** A request to the engine's API. */
export interface HttpRequest {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Segments of the path, as they are to stand in the URL. */
  readonly path: string[];
  readonly query: Record<string, string | number | boolean | Date | string[] | undefined>;
  readonly headers: Record<string, string>;
  readonly body: string | null;
  /** False: the answer has no JSON to read. */
  readonly parseResponseAsJson: boolean;
}

/** What makes requests: ours, or that of a client of `@upstash/qstash`. */
export interface Http {
  /** Sent with every delivery that is asked for. */
  readonly headers?: Iterable<[string, string]> | undefined;
  /** Scheme and host of the engine, for errors. */
  readonly baseUrl?: string | undefined;
  /** @throws an error with the answer's `status` when the engine refuses, one without it when there is no answer */
  request<Answer>(request: HttpRequest): Promise<Answer>;
}

/** Where the engine is, and by what it is asked. */
export interface Connection {
  readonly http: Http;
  readonly baseUrl: string;
  readonly token: unknown;
  /** The user's own client of `@upstash/qstash`, if there is one. */
  readonly client?: Client;
}

/** A connection that needs nothing but `fetch`. */
export function connect({ baseUrl, token, headers = {}, retry = {} }: EngineConfig): Connection {
  const origin = baseUrl.replace(/\/+$/, "");
  const { retries = 5, backoff = (count: number) => Math.exp(count) * 50 } = retry || { retries: 0 };
  const http: Http = {
    baseUrl: origin,
    headers: Object.entries(headers).map(([name, value]) => [
      (isOption(name) ? name : forward(name)).toLowerCase(),
      value,
    ]),
    async request<Answer>(request: HttpRequest) {
      const { method, body, parseResponseAsJson } = request;
      const headers = { ...request.headers, Authorization: `Bearer ${token}` };
      // Credentials go to nobody whom the engine names.
      const init: RequestInit = { method, body, headers, redirect: "manual" };
      const answer = await send(urlOf(origin, request), init, retries, backoff);
      const { ok, status } = answer;
      const text = await answer.text();
      if (!ok) throw Object.assign(new Error(text || `status ${status}`), { status });
      return (parseResponseAsJson ? parseAnswer(text, status) : undefined) as Answer;
    },
  };
  return { http, baseUrl: origin, token };
}

/** A message as the official client takes it. */
type Published = Parameters<Client["batch"]>[0][number];

/** The user's own client: its settings, its requests; its own `batch` or `publish` where a test has replaced them. */
export function connectWithClient(client: Client): Connection {
  const { http }: Partial<Client> = client;
  const baseUrl = String(Reflect.get(Object(http), "baseUrl"));
  // The class has its methods on its prototype: one of the client's own has been put there.
  const isOwn = (name: "batch" | "publish") => (!http || Object.hasOwn(client, name)) && name in client;
  const batch = isOwn("batch");
  const overriddenHttp: Http = {
    headers: http?.headers,
    baseUrl,
    async request<Answer>(request: HttpRequest) {
      const call = `${request.method} ${request.path.join("/")}`;
      if (call === "POST v2/batch") {
        const messages = toPublished(request.body);
        const publishAll = () => Promise.all(messages.map((message) => client.publish(message)));
        return (await (batch ? client.batch(messages) : publishAll())) as Answer;
      }
      if (!http) throw new TypeError(`qstashClient has no http.request for ${call}.`);
      return http.request<Answer>(request);
    },
  };
  const token = Reflect.get(client, "token");
  return { http: batch || isOwn("publish") ? overriddenHttp : client.http, baseUrl, token, client };
}

function toPublished(batch: string | null): Published[] {
  const items: { destination: string; headers: Record<string, string>; body?: string }[] = JSON.parse(
    batch ?? "[]",
  );
  const method = HEADER.method.toLowerCase();
  return items.map(
    ({ destination, ...item }) => ({ ...item, url: destination, method: item.headers[method] }) as Published,
  );
}

/** The status that the engine has refused with; undefined when it has given no answer. */
export function statusOf(error: unknown): number | undefined {
  const { status } = Object(error);
  return typeof status === "number" ? status : undefined;
}

// Only what got no answer is sent again: an answer, whatever it says, is one.
async function send(
  url: URL,
  init: RequestInit,
  retries: number,
  backoff: (count: number) => number,
): Promise<Response> {
  for (let count = 0; ; count++) {
    try {
      return await fetch(url, init);
    } catch (error) {
      if (count >= retries) throw error;
      await new Promise((resolve) => setTimeout(resolve, backoff(count)));
    }
  }
}

/** @throws an error with the `status`: the address belongs to another server than an engine */
function parseAnswer(text: string, status: number): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `"${text.slice(0, 80)}" isn't JSON. Set QSTASH_URL to an engine`;
    throw Object.assign(new Error(message, { cause }), { status });
  }
}

function urlOf(origin: string, { path, query }: HttpRequest): URL {
  const url = new URL([origin, ...path].join("/"));
  for (const [name, value] of Object.entries(query)) {
    for (const each of [value ?? []].flat())
      url.searchParams.append(name, String(each instanceof Date ? Number(each) : each));
  }
  return url;
}

function isOption(name: string): boolean {
  return isContentType(name) || name.toLowerCase().startsWith(PREFIX.own.toLowerCase());
}
