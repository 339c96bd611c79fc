import type { Handler } from "hono";
import { toText } from "../domain/bytes.ts";
import { invalid, messageOf, Problem } from "../domain/problem.ts";
import type { RunQuery } from "../store/lists.ts";
import { readBody } from "./body.ts";
import { Query } from "./query.ts";
import type { Env, Service } from "./service.ts";
import { announce } from "./submit.ts";

/**
 * `GET /v2/workflows/runs/{id}`: the history of a live run; with `?ended=true`, also of one that has ended. Of several that
 * had the id, it is the last one's, or the one's of `workflowCreatedAt`.
 */
export function getRun({ store }: Service): Handler<Env, "/v2/workflows/runs/:id"> {
  return async (c) => {
    const id = c.req.param("id");
    const ended = toFlag(c.req.query("ended"), "ended") ?? false;
    const createdAt = new Query(c.req.raw.url, ["ended", "workflowCreatedAt"]).number("workflowCreatedAt");
    const history = await store.history(id, { ended, createdAt });
    if (!history) throw new Problem(404, `workflow run ${id} not found: it has ended, or never was`);
    return c.json(history);
  };
}

/**
 * `DELETE /v2/workflows/runs/{id}?cancel=`: ends a run, with `false` as completed with the body as its result. An endpoint
 * that didn't hear the answer asks again: an ended run is no error.
 */
export function endRun(service: Service): Handler<Env, "/v2/workflows/runs/:id"> {
  const { store, clock, emit, limits } = service;
  return async (c) => {
    const runId = c.req.param("id");
    // Without it, the request is a plain one to cancel.
    const cancel = toFlag(c.req.query("cancel"), "cancel") ?? true;
    const body = await readBody(c.req.raw, limits.requestBytes);
    const response = cancel || body.length === 0 ? undefined : new TextDecoder().decode(body);
    const now = clock.now();
    const { kind, run, recorded } = await store.endRun(
      runId,
      { state: cancel ? "RUN_CANCELED" : "RUN_SUCCESS", response },
      now,
    );
    if (kind === "unknown") throw new Problem(404, `workflow run ${runId} not found`);
    if (kind === "ended" && run) {
      emit(
        cancel ? { type: "run.canceled", runId } : { type: "run.completed", runId, ms: now - run.createdAt },
      );
    }
    announce(recorded, service);
    return c.json({ cancelled: kind === "ended" && cancel ? 1 : 0 });
  };
}

const FILTERS = [
  "callerIp",
  "count",
  "flowControlKey",
  "fromDate",
  "host",
  "label",
  "path",
  "toDate",
  "workflowRunIds",
  "workflowUrl",
  "workflowUrlExactMatch",
];
const USUAL = 100;

/**
 * `DELETE /v2/workflows/runs`: cancels those that match, or those whose ids are given; without any filter, all of them.
 * Of those that match, the newest 100 unless `count` says otherwise. Older clients name them in a JSON body.
 */
export function cancelRuns(service: Service): Handler<Env> {
  const { store, clock, emit, limits } = service;
  return async (c) => {
    const body = await readBody(c.req.raw, limits.requestBytes);
    const query = body.length > 0 ? readSelection(body) : readFilters(new Query(c.req.raw.url, FILTERS));
    const { runIds, recorded } = await store.cancelRuns(query, clock.now());
    for (const runId of runIds) emit({ type: "run.canceled", runId });
    announce(recorded, service);
    return c.json({ cancelled: runIds.length });
  };
}

function readFilters(query: Query): RunQuery {
  const ids = query.list("workflowRunIds");
  if (ids) return { ids, count: ids.length };
  const exact = query.text("workflowUrlExactMatch")?.toLowerCase() === "true";
  return {
    [exact ? "urls" : "urlPrefixes"]: query.urls("workflowUrl"),
    hosts: query.list("host"),
    paths: query.urls("path"),
    labels: query.list("label"),
    callerIps: query.list("callerIp"),
    flowKeys: query.list("flowControlKey"),
    from: query.number("fromDate"),
    to: query.number("toDate"),
    count: query.count(Number.MAX_SAFE_INTEGER - 1, USUAL),
  };
}

function readSelection(body: Uint8Array): RunQuery {
  let value: unknown;
  try {
    value = JSON.parse(toText(body));
  } catch (cause) {
    throw new Problem(400, `the selection is not JSON: ${messageOf(cause)}`, { cause });
  }
  const { workflowRunIds, workflowUrl } = (value ?? {}) as Record<string, unknown>;
  if (workflowRunIds !== undefined) {
    if (!Array.isArray(workflowRunIds)) throw invalid("workflowRunIds", "expected a list of ids");
    return { ids: workflowRunIds.map(String), count: workflowRunIds.length };
  }
  const count = Number.MAX_SAFE_INTEGER - 1;
  return typeof workflowUrl === "string" ? { urlPrefixes: [workflowUrl], count } : { count };
}

function toFlag(value: string | undefined, name: string): boolean | undefined {
  if (value === undefined) return undefined;
  if (/^(?:true|false)$/i.test(value)) return value.toLowerCase() === "true";
  throw invalid(name, `expected true or false, got "${value}"`);
}
