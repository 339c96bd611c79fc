/** Seconds for which a browser keeps the answer to a preflight request. */
const PREFLIGHT_SECONDS = 600;

const METHODS = "GET, POST, PATCH, PUT, DELETE";
const EXPOSED = "Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset";

/** A handler of HTTP requests, with what its caller knows of the connection. */
type Handler<Bindings> = (request: Request, bindings: Bindings) => Promise<Response>;

/**
 * Lets pages of other origins read the answers of an API (CORS). Only the listed origins may, and by default
 * none. Browsers send no cookies with such requests: a page needs a token.
 *
 * @param origins such as `https://console.example.com`
 */
export function withCors<Bindings>(
  api: Handler<Bindings>,
  origins: readonly string[] | undefined = [],
): Handler<Bindings> {
  if (origins.length === 0) return api;
  const allowed = new Set(origins.map((origin) => origin.toLowerCase().replace(/\/+$/, "")));
  return async (request, bindings) => {
    const origin = request.headers.get("origin");
    if (origin === null || !allowed.has(origin.toLowerCase())) return api(request, bindings);
    if (request.method === "OPTIONS" && request.headers.has("access-control-request-method")) {
      return new Response(null, { status: 204, headers: preflightHeaders(request, origin) });
    }
    const { body, status, statusText, headers: own } = await api(request, bindings);
    const headers = new Headers(own);
    headers.set("Access-Control-Allow-Origin", origin);
    headers.set("Access-Control-Expose-Headers", EXPOSED);
    headers.append("Vary", "Origin");
    return new Response(body, { status, statusText, headers });
  };
}

function preflightHeaders({ headers }: Request, origin: string): Record<string, string> {
  const asked = headers.get("access-control-request-headers");
  const isPrivate = headers.get("access-control-request-private-network") === "true";
  return {
    "Access-Control-Allow-Origin": origin,
    "Access-Control-Allow-Methods": METHODS,
    ...(asked === null ? {} : { "Access-Control-Allow-Headers": asked }),
    // Without it, Chromium keeps pages of the internet from addresses of this machine.
    ...(isPrivate ? { "Access-Control-Allow-Private-Network": "true" } : {}),
    "Access-Control-Max-Age": String(PREFLIGHT_SECONDS),
    Vary: "Origin, Access-Control-Request-Headers",
  };
}
