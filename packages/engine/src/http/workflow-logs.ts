import type { Handler } from "hono";
import type { MessageState } from "../domain/message.ts";
import { invalid } from "../domain/problem.ts";
import type { RunState } from "../domain/run.ts";
import type { RunQuery } from "../store/lists.ts";
import { readDates } from "./filters.ts";
import { Query, toCursor } from "./query.ts";
import { runView } from "./run-log.ts";
import type { Env, Service } from "./service.ts";
import type { StepState } from "./step-state.ts";
import { trimBodies } from "./trim.ts";

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
  "trimBody",
  "workflowCreatedAt",
  "workflowRunId",
  "workflowRuns",
  "workflowUrl",
];
const RUN_STATES: readonly RunState[] = ["RUN_STARTED", "RUN_SUCCESS", "RUN_FAILED", "RUN_CANCELED"];
/** What the message of a step in each state is in. */
const STEP_STATES: Record<StepState, readonly MessageState[]> = {
  STEP_PROGRESS: ["CREATED", "ACTIVE"],
  STEP_SUCCESS: ["DELIVERED"],
  STEP_RETRY: ["RETRY"],
  STEP_FAILED: ["FAILED"],
  STEP_CANCELED: ["CANCELLED"],
};
const STATES = [...RUN_STATES, ...(Object.keys(STEP_STATES) as StepState[])];
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
    const trim = readTrim(query);
    const { items, next } = await store.runs(readRunQuery(query));
    const views = items.map(runView);
    const shown = trim === undefined ? views : views.map((view) => trimBodies(view, trim));
    return c.json({ runs: shown, ...toCursor(next) });
  };
}

function readRunQuery(query: Query): RunQuery {
  const runs = query.list("workflowRuns")?.map(toRunName);
  // Where runs are named, nothing else counts.
  if (runs) return { runs, count: query.count(MOST, Math.min(runs.length, MOST)), before: query.cursor() };
  return {
    ids: query.list("workflowRunId"),
    urls: query.urls("workflowUrl"),
    hosts: query.list("host"),
    paths: query.urls("path"),
    messageIds: query.list("messageId"),
    callerIps: query.list("callerIp"),
    flowKeys: query.list("flowControlKey"),
    ...readStates(query),
    labels: query.list("label"),
    createdAt: query.number("workflowCreatedAt"),
    ...readDates(query),
    count: query.count(MOST, USUAL),
    before: query.cursor(),
  };
}

/** Of runs, or of steps: then those are meant that have one. */
function readStates(query: Query): Pick<RunQuery, "states" | "stepStates"> {
  const states = query.oneOf("state", STATES);
  const ofRuns = states?.filter((state): state is RunState => RUN_STATES.includes(state as RunState));
  const ofSteps = states?.filter((state): state is StepState => state in STEP_STATES);
  if (ofRuns?.length && ofSteps?.length) {
    throw invalid("parameter state", "expected states of runs or of steps, got both");
  }
  return {
    ...(ofRuns?.length ? { states: ofRuns } : {}),
    ...(ofSteps?.length ? { stepStates: ofSteps.flatMap((state) => STEP_STATES[state]) } : {}),
  };
}

/** `ID@TS`: a run by its id and the milliseconds since 1970 at which it was created. */
function toRunName(name: string): { readonly id: string; readonly createdAt: number } {
  const [, id, at] = /^(.+)@(\d{1,15})$/.exec(name) ?? [];
  if (id !== undefined) return { id, createdAt: Number(at) };
  throw invalid("parameter workflowRuns", `expected <id>@<milliseconds since 1970>, got "${name}"`);
}

/** Bytes that are left of each body; -1 for none of them. */
function readTrim(query: Query): number | undefined {
  const text = query.text("trimBody");
  if (text === undefined) return undefined;
  if (/^(?:-1|\d{1,15})$/.test(text)) return Number(text);
  throw invalid("parameter trimBody", `expected a number of bytes, or -1, got "${text}"`);
}
