import { PERSON_HEADER } from "@perdure/core/protocol";
import { targetOf } from "../http/path.ts";
import { personOf, refuse, type Visit } from "./visit.ts";

/** The page's requests bring these headers to the engine, beside those of the protocol. */
const PASSED = /^(?:content-type|accept|last-event-id|(?:upstash|perdure)-.+)$/;

/** The path of the dashboard below which the engine's API is. */
export const API = "/api";

/** Passes a request of the page on to the engine's API, with the token of the session. */
export async function callEngine(visit: Visit): Promise<Response> {
  const { request, bindings, parts } = visit;
  const { engine, basePath, sessions } = parts;
  const token = parts.token ?? sessions.of(request)?.token;
  if (token === undefined) return refuse(401, "log in");
  const target = targetOf(request, bindings).slice(basePath.length + API.length);
  const headers = new Headers({ Authorization: `Bearer ${token}` });
  for (const [name, value] of request.headers) if (PASSED.test(name)) headers.set(name, value);
  // The audit log has every action of the page, with the user who is logged in, whatever the page sends.
  headers.set(PERSON_HEADER, encodeURIComponent((await personOf(visit)) ?? ""));
  const body = request.body ? { body: request.body, duplex: "half" as const } : {};
  const { method, signal } = request;
  const passed = new Request(new URL(request.url).origin + target, { method, headers, signal, ...body });
  const answer = await engine.fetch(passed, { ...bindings, target });
  const own = new Response(answer.body, answer);
  own.headers.set("Cache-Control", "no-store");
  return own;
}
