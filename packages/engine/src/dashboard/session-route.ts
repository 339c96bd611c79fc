import type { Session } from "./session.ts";
import { personOf, refuse, type Visit } from "./visit.ts";

/** GET: who is logged in. POST: logs in with the token in the body. DELETE: logs out. */
export async function serveSession(visit: Visit): Promise<Response> {
  const { request, parts } = visit;
  switch (request.method) {
    case "GET":
      return showSession(visit);
    case "POST":
      return logIn(visit);
    case "DELETE":
      return new Response(null, {
        status: 204,
        headers: { "Set-Cookie": parts.sessions.end(isSecure(request)), "Cache-Control": "no-store" },
      });
    default:
      return refuse(405, "the session takes GET, POST and DELETE", { Allow: "GET, POST, DELETE" });
  }
}

async function showSession(visit: Visit): Promise<Response> {
  const { request, parts } = visit;
  const token = parts.token ?? parts.sessions.of(request)?.token;
  const access = token === undefined ? refuse(401, "log in") : await accessOf(token, visit);
  return access instanceof Response ? access : sessionView(access, visit, await personOf(visit));
}

async function logIn(visit: Visit): Promise<Response> {
  const { request, bindings, parts } = visit;
  const { sessions, limit } = parts;
  const address = bindings?.callerIp ?? "";
  const wait = limit.retryAfter(address);
  if (wait !== undefined)
    return refuse(429, `too many failed logins: try again in ${wait} s`, { "Retry-After": String(wait) });
  const given = await readLogin(request);
  if (given === undefined) return refuse(400, 'send the token as JSON: { "token": "…" }');
  const access = await accessOf(given.token, visit);
  if (access instanceof Response) {
    if (access.status === 401) limit.failed(address);
    return access;
  }
  const answer = sessionView(access, visit, given.name);
  answer.headers.set("Set-Cookie", sessions.begin(given, isSecure(request)));
  return answer;
}

/** A longer token fits no cookie. */
const MAX_TOKEN = 2048;
const TOKEN = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** Characters of a name that a session keeps. */
const MAX_NAME = 100;

async function readLogin(request: Request): Promise<Session | undefined> {
  if (!(Number(request.headers.get("content-length")) <= 2 * MAX_TOKEN)) return undefined;
  const body: unknown = await request.json().catch(() => undefined);
  const { token, name } = Object(body) as { readonly token?: unknown; readonly name?: unknown };
  const given = typeof token === "string" ? token.trim() : "";
  if (given.length > MAX_TOKEN || !TOKEN.test(given)) return undefined;
  // The conversion replaces halves of characters, which no cookie can hold.
  const named = typeof name === "string" ? Buffer.from(name.trim().slice(0, MAX_NAME)).toString() : "";
  return { token: given, name: named || undefined };
}

/** Asks the engine what a token may do. @returns the engine's answer when it refuses the token */
async function accessOf(token: string, { request, bindings, parts }: Visit): Promise<object | Response> {
  const target = "/v2/workflows/access";
  const asked = new Request(new URL(request.url).origin + target, {
    headers: { Authorization: `Bearer ${token}` },
  });
  const answer = await parts.engine.fetch(asked, { ...bindings, target });
  if (answer.ok) return (await answer.json()) as object;
  return answer.status === 401 ? refuse(401, "the token is not this engine's") : answer;
}

function sessionView(access: object, { parts: { token } }: Visit, user: string | undefined): Response {
  const view = { ...access, ...(user === undefined ? {} : { user }), canLogOut: token === undefined };
  return Response.json(view, { headers: { "Cache-Control": "no-store" } });
}

/** True for a request that came over TLS, also when a proxy ends TLS: the page's origin says it. */
function isSecure({ url, headers }: Request): boolean {
  return url.startsWith("https:") || headers.get("origin")?.startsWith("https:") === true;
}
