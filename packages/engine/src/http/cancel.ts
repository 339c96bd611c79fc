import type { Handler } from "hono";
import { invalid } from "../domain/problem.ts";
import type { MessageQuery } from "../store/publishing.ts";
import { readBody } from "./body.ts";
import { MESSAGE_FILTERS, readMessageFilters } from "./filters.ts";
import { parseJson, toList, toObject } from "./json.ts";
import { Query } from "./query.ts";
import type { Env, Service } from "./service.ts";
import { announce } from "./submit.ts";

const FILTERS = [...MESSAGE_FILTERS, "callerIP", "count", "host", "messageIds", "path"];
const MOST = 500;
/** What the official client sends where nobody said how many; it promises that all that match are canceled. */
const UNSAID = 100;

/** How many are taken back in one transaction. */
const AT_ONCE = 500;

/**
 * `DELETE /v2/messages`: takes back those that match, the newest first, or those whose ids are given; without any filter,
 * all of them. Older clients name ids in a JSON body.
 */
export function deleteMessages(service: Service): Handler<Env> {
  const { limits } = service;
  return async (c) => {
    const body = await readBody(c.req.raw, limits.requestBytes);
    const query = new Query(c.req.raw.url, FILTERS);
    const ids = body.length > 0 ? readIds(body) : query.list("messageIds");
    if (!ids) return c.json({ cancelled: await cancel(readFilters(query), readCount(query), service) });
    let cancelled = 0;
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      const some = ids.slice(at, at + AT_ONCE);
      cancelled += await cancel({ messageIds: some }, some.length, service);
    }
    return c.json({ cancelled });
  };
}

/** In several transactions, so that nobody waits for all of it. What is published meanwhile is newer, and stays. */
async function cancel(
  query: Omit<MessageQuery, "count" | "before">,
  most: number,
  service: Service,
): Promise<number> {
  const { store, clock, emit } = service;
  let done = 0;
  let before: number | undefined;
  do {
    const count = Math.min(AT_ONCE, most - done);
    const { canceled, runIds, recorded, next } = await store.cancelMessages(
      { ...query, count, before },
      clock.now(),
    );
    for (const runId of runIds) emit({ type: "run.canceled", runId });
    announce(recorded, service);
    done += canceled;
    before = next;
  } while (before !== undefined && done < most);
  return done;
}

function readFilters(query: Query): Omit<MessageQuery, "count" | "before"> {
  const filters = readMessageFilters(query);
  return {
    ...filters,
    callerIps: filters.callerIps ?? query.list("callerIP"),
    hosts: query.list("host"),
    paths: query.urls("path"),
  };
}

function readCount(query: Query): number {
  const count = query.number("count") ?? UNSAID;
  if (count < 1 || count > MOST) throw invalid("parameter count", `expected 1 to ${MOST}, got ${count}`);
  return count === UNSAID ? Number.MAX_SAFE_INTEGER : count;
}

function readIds(body: Uint8Array): string[] {
  const { messageIds } = toObject(parseJson(body, "the selection"), "selection");
  return toList(messageIds, "messageIds").map((id, at) => {
    if (typeof id === "string") return id;
    throw invalid(`messageIds[${at}]`, "expected an id");
  });
}
