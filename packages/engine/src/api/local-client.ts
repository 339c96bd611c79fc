import { checkUrl, toApiUrl, userIdIn } from "@perdure/core/protocol";
import { appends } from "../http/append.ts";
import { batches } from "../http/batch.ts";
import { INTERNAL_ERROR, toRefusal } from "../http/refusal.ts";
import type { Route } from "../http/route.ts";
import type { Service } from "../http/service.ts";
import { STATUS } from "../http/status.ts";
import { checkOptions } from "../rules/check-options.ts";
import { createCaller } from "./caller.ts";

/** Options of an engine's `client`. */
export interface LocalClientOptions {
  /**
   * The address at which others reach the engine's API, for the URLs of webhooks. Default: one that no request can reach.
   */
  readonly baseUrl?: string;
}

/** A request of the runtime, or of a client, to the engine's API. */
export interface LocalRequest {
  readonly method: string;
  /** Segments of the URL's path, encoded. */
  readonly path: readonly string[];
  /** A list is a parameter for each of its values. */
  readonly query: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** False when the answer has no JSON body. */
  readonly parseResponseAsJson: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** The settings of a client that asks an engine of this process. `serve` and `Client` take them in place of URL and token. */
export interface LocalClient {
  /** Names the user in the URLs of webhooks. It is no secret, and opens nothing. */
  readonly token: string;
  readonly http: {
    readonly baseUrl: string;
    /** @throws Error with the `status` that a client gets over HTTP, and its body as the message */
    request<Answer>(request: LocalRequest): Promise<Answer>;
  };
}

/** The parts of an engine that its local clients need. */
interface Local {
  readonly service: Service;
  /** Called before each request. */
  readonly begin: () => void;
  /** The HTTP API. */
  readonly fetch: (request: Request) => Promise<Response>;
}

/** The top-level domain that never resolves (RFC 6761): whoever is given such an address finds out at once. */
const NOWHERE = "http://engine.invalid";

/** The requests of runs: for them, a Request and a Response would take longer than all the rest. */
const FREQUENT: ReadonlyMap<string, Route> = new Map<string, Route>([
  ["POST v2/batch", batches["/v2/batch"].POST],
  ["POST v2/workflows/append", appends["/v2/workflows/append"].POST],
]);

/** Bytes of a character of a string at most. */
const MOST_BYTES = 3;

export function createLocalClient(
  { service, begin, fetch }: Local,
  options: LocalClientOptions,
): LocalClient {
  checkOptions("client", options, "baseUrl");
  const { baseUrl: given = NOWHERE } = options;
  const baseUrl = checkUrl("baseUrl", given).replace(/\/+$/, "");
  const [secret = ""] = service.tokens.full;
  const { call } = createCaller(service, begin);
  // The HTTP API refuses what is too large.
  const fits = (body: string): boolean => body.length * MOST_BYTES <= service.limits.requestBytes;
  const overFetch = async ({
    path,
    query,
    signal,
    method,
    body,
    ...given
  }: LocalRequest): Promise<string> => {
    const headers = { ...given.headers, Authorization: `Bearer ${secret}` };
    const init = { method, body, headers, ...(signal ? { signal } : {}) };
    // An address for others may have a path, which a proxy removes.
    const answer = await fetch(new Request(toApiUrl(NOWHERE, path, query), init));
    const text = await answer.text();
    if (!answer.ok) throw refused(answer.status, text || `status ${answer.status}`);
    return text;
  };
  const directly = async (route: Route, body: unknown): Promise<unknown> => {
    try {
      return await call(route, { body });
    } catch (error) {
      const refusal = toRefusal(error, "a request of this process", service.emit);
      const text = JSON.stringify({ error: refusal?.message ?? INTERNAL_ERROR });
      throw refused(refusal ? STATUS[refusal.code] : 500, text);
    }
  };
  return {
    token: toUserToken(userIdIn(secret) || "default"),
    http: {
      baseUrl,
      async request<Answer>(request: LocalRequest) {
        const { method, path, body, parseResponseAsJson } = request;
        const route = FREQUENT.get(`${method} ${path.join("/")}`);
        if (route && body !== null && fits(body)) return (await directly(route, JSON.parse(body))) as Answer;
        const text = await overFetch(request);
        return (parseResponseAsJson ? JSON.parse(text) : undefined) as Answer;
      },
    },
  };
}

/** A token in the form from which clients read the user. */
function toUserToken(user: string): string {
  return Buffer.from(JSON.stringify({ UserID: user, Password: "" })).toString("base64");
}

function refused(status: number, message: string): Error {
  return Object.assign(new Error(message), { status });
}
