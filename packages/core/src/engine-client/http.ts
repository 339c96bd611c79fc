import type { Client } from "@upstash/qstash";
import { toApiUrl } from "../protocol/api-url.ts";
import * as HEADER from "../protocol/header-names.ts";
import * as PREFIX from "../protocol/header-prefixes.ts";
import { forward } from "../protocol/headers.ts";
import { isContentType } from "../protocol/options.ts";

/** URL and credentials of the engine, as in `@upstash/qstash`. */
export interface EngineConfig {
  /** The part of the API's URLs before `/v2`. */
  readonly baseUrl: string;
  /** The bearer token. */
  readonly token: string;
  /** Headers for each delivery that this client requests. */
  readonly headers?: Readonly<Record<string, string>>;
  /** `false` as `disableTelemetry`. */
  readonly enableTelemetry?: boolean;
  /** `true`: URL and token default to the local engine's; `false`: they don't, even with `PERDURE_DEV=1`. */
  readonly devMode?: boolean;
  /** Retries of requests without an answer, each after `backoff` milliseconds. Default: 5 retries. */
  readonly retry?: false | { retries?: number; backoff?: (retryCount: number) => number };
}

/** A query's parameters. A date is sent as milliseconds since 1970; an undefined value isn't sent. */
export type Query = Readonly<
  Record<string, string | number | boolean | Date | readonly string[] | undefined>
>;

/** A request to the engine's API. */
export interface HttpRequest {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Segments of the URL's path, encoded. */
  readonly path: string[];
  readonly query: Record<string, string | number | boolean | Date | string[] | undefined>;
  readonly headers: Record<string, string>;
  readonly body: string | null;
  /** False when the answer has no JSON body. */
  readonly parseResponseAsJson: boolean;
  /** Aborts the request, which isn't repeated then. A client of `@upstash/qstash` ignores it. */
  readonly signal?: AbortSignal | undefined;
}

/** Sends requests: with `fetch`, or with a client of `@upstash/qstash`. */
export interface Http {
  /** Headers for each requested delivery. */
  readonly headers?: Iterable<[string, string]> | undefined;
  /** The engine's URL, for errors. */
  readonly baseUrl?: string | undefined;
  /** The environment variables of token and URL, for errors. */
  readonly variables?: readonly [token: string, url: string];
  /**
   * Returns the milliseconds before a request is sent again that has failed `count` times before; undefined when it isn't. A
   * client of `@upstash/qstash` lacks it, because it sends requests without an answer again by itself.
   */
  retryDelay?(count: number): number | undefined;
  /** @throws Error with the answer's `status` when the engine refuses, without it when there is no answer */
  request<Answer>(request: HttpRequest): Promise<Answer>;
}

/** The engine's URL and token, and the object that sends requests to it. */
export interface Connection {
  readonly http: Http;
  readonly baseUrl: string;
  readonly token: unknown;
  /** The client of `@upstash/qstash`, when the user configures one. */
  readonly client?: Client;
}

/** Creates a connection that uses `fetch`. */
export function connect(
  { baseUrl, token, headers = {}, retry = {} }: EngineConfig,
  variables: NonNullable<Http["variables"]>,
): Connection {
  const origin = baseUrl.replace(/\/+$/, "");
  const { retries = 5, backoff = (count: number) => Math.exp(count) * 50 } = retry || { retries: 0 };
  const http: Http = {
    baseUrl: origin,
    variables,
    headers: Object.entries(headers).map(([name, value]) => [
      (isOption(name) ? name : forward(name)).toLowerCase(),
      value,
    ]),
    retryDelay: (count) => (count < retries ? backoff(count) : undefined),
    async request<Answer>(request: HttpRequest) {
      const { method, body, parseResponseAsJson, signal = null } = request;
      const headers = { ...request.headers, Authorization: `Bearer ${token}` };
      // A redirect must not receive the credentials.
      const init: RequestInit = { method, body, headers, redirect: "manual", signal };
      const answer = await fetch(toApiUrl(origin, request.path, request.query), init);
      const { ok, status } = answer;
      const text = await answer.text();
      if (!ok) throw Object.assign(new Error(text || `status ${status}`), { status });
      return (parseResponseAsJson ? parseAnswer(text, status, variables[1]) : undefined) as Answer;
    },
  };
  return { http, baseUrl: origin, token };
}

/** A message in the official client's form. */
type Published = Parameters<Client["batch"]>[0][number];

/** Creates a connection that uses a client: its settings, its requests, and the `batch` or `publish` that a test may have replaced. */
export function connectWithClient(client: Client): Connection {
  const { http }: Partial<Client> = client;
  const baseUrl = String(Reflect.get(Object(http), "baseUrl") ?? "an unknown URL");
  // The class has its methods on its prototype, so an own method is a replaced one.
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

/** Returns the status of the engine's refusal; undefined when there was no answer. */
export function statusOf(error: unknown): number | undefined {
  const { status } = Object(error);
  return typeof status === "number" ? status : undefined;
}

/** @throws Error with the `status` when the answer isn't JSON: the server isn't an engine */
function parseAnswer(text: string, status: number, urlName: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `"${text.slice(0, 80)}" isn't JSON. Set ${urlName} to an engine's`;
    throw Object.assign(new Error(message, { cause }), { status });
  }
}

function isOption(name: string): boolean {
  return isContentType(name) || name.toLowerCase().startsWith(PREFIX.own.toLowerCase());
}
