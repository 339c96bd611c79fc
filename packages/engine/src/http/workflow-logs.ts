import type { Handler } from "hono";
import { invalid } from "../domain/problem.ts";
import type { RunState } from "../domain/run.ts";
import { Query, toCursor } from "./query.ts";
import { runView } from "./run-log.ts";
import type { Env, Service } from "./service.ts";

const FILTERS = [
  "callerIp",
  "count",
  "cursor",
  "flowControlKey",
  "fromDate",
  "groupBy",
  "host",
  "label",
  "messageId",
  "path",
  "state",
  "toDate",
  "workflowCreatedAt",
  "workflowRunId",
  "workflowUrl",
];
const STATES: readonly RunState[] = ["RUN_STARTED", "RUN_SUCCESS", "RUN_FAILED", "RUN_CANCELED"];
const MOST = 100;
const USUAL = 10;

/** `GET /v2/workflows/logs`, or `/events?groupBy=workflowRunId` as clients call it: runs, the newest first. */
export function listRuns({ store }: Service): Handler<Env> {
  return async (c) => {
    const query = new Query(c.req.raw.url, FILTERS);
    const groupBy = query.text("groupBy");
    if (groupBy !== undefined && groupBy !== "workflowRunId") {
      throw invalid("parameter groupBy", `expected workflowRunId, got "${groupBy}"`);
    }
    const { items, next } = await store.runs({
      ids: query.list("workflowRunId"),
      urls: query.urls("workflowUrl"),
      hosts: query.list("host"),
      paths: query.urls("path"),
      messageIds: query.list("messageId"),
      callerIps: query.list("callerIp"),
      flowKeys: query.list("flowControlKey"),
      states: query.oneOf("state", STATES),
      labels: query.list("label"),
      createdAt: query.number("workflowCreatedAt"),
      from: query.number("fromDate"),
      to: query.number("toDate"),
      count: query.count(MOST, USUAL),
      before: query.cursor(),
    });
    return c.json({ runs: items.map(runView), ...toCursor(next) });
  };
}
