import { z } from "zod";
import { invalid } from "../rules/engine-error.ts";
import type { MessageState } from "../rules/message.ts";
import type { RunState } from "../rules/run.ts";
import type { RunQuery } from "../store/lists.ts";
import { createTimeSlices } from "../store/time-slices.ts";
import { DATES, PLACES, toDates } from "./filters.ts";
import {
  count,
  cursor as cursorOf,
  each,
  list,
  oneOf,
  single,
  someOf,
  time,
  toCursor,
  urls,
} from "./parameters.ts";
import { type Routes, route, type Values } from "./route.ts";
import { runView } from "./run-log.ts";
import { type RunView, run, runState, type StepState, stepState } from "./run-schemas.ts";
import { cursor } from "./schemas.ts";
import { truncateBodies } from "./truncate-bodies.ts";

/** The states of a step's message for each state of the step. */
const STEP_STATES: Record<StepState, readonly MessageState[]> = {
  STEP_PROGRESS: ["CREATED", "ACTIVE"],
  STEP_SUCCESS: ["DELIVERED"],
  STEP_RETRY: ["RETRY"],
  STEP_FAILED: ["FAILED"],
  STEP_CANCELED: ["CANCELLED"],
};
const RUN_STATES: readonly RunState[] = runState.options;
const MAX_PAGE_SIZE = 100;
const DEFAULT_PAGE_SIZE = 10;

const query = {
  ...DATES,
  ...PLACES,
  callerIp: list,
  count: count(MAX_PAGE_SIZE),
  cursor: cursorOf,
  flowControlKey: list,
  groupBy: oneOf("workflowRunId"),
  label: list,
  messageId: list,
  state: someOf([...runState.options, ...stepState.options]),
  trimBody: single(
    { type: "integer", minimum: -1, description: "Bytes that are left of each body; -1 for none of them." },
    toBytes,
  ),
  workflowCreatedAt: time,
  workflowRunId: list,
  workflowRuns: each(
    { type: "string", pattern: "^.+@\\d{1,15}$", description: "<id>@<milliseconds since 1970>" },
    toRun,
  ),
  workflowUrl: urls,
};

/** Clients call it `events`, with `groupBy`. */
const listed = route({
  summary: "List runs with their steps, the newest first",
  query,
  answers: { 200: z.object({ runs: z.array(run), ...cursor }) },
  async handle({ query: asked }, { store }) {
    const { items, next } = await store.runs(toQuery(asked));
    const { trimBody: bytes } = asked;
    const pause = createTimeSlices();
    const runs: RunView[] = [];
    for (const item of items) {
      const view = await runView(item, pause);
      runs.push(bytes === undefined ? view : await truncateBodies(view, bytes, pause));
    }
    return {
      runs,
      ...toCursor(next),
    };
  },
});

export const workflowLogs = {
  "/v2/workflows/events": { GET: listed },
  "/v2/workflows/logs": { GET: listed },
} satisfies Routes;

function toQuery(asked: Values<typeof query>): RunQuery {
  const { workflowRuns: named, cursor: before } = asked;
  // When the request names runs, the engine ignores its other filters.
  if (named) return { runs: named, count: asked.count ?? Math.min(named.length, MAX_PAGE_SIZE), before };
  return {
    ids: asked.workflowRunId,
    urls: asked.workflowUrl,
    hosts: asked.host,
    paths: asked.path,
    messageIds: asked.messageId,
    callerIps: asked.callerIp,
    flowKeys: asked.flowControlKey,
    ...toStates(asked.state),
    labels: asked.label,
    createdAt: asked.workflowCreatedAt,
    ...toDates(asked),
    count: asked.count ?? DEFAULT_PAGE_SIZE,
    before,
  };
}

/** Reads states of runs, or of steps: these select the runs with such a step. */
function toStates(
  states: readonly (RunState | StepState)[] | undefined,
): Pick<RunQuery, "states" | "stepStates"> {
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

/** Reads a run's id and the time of its creation. */
function toRun(name: string, field: string): { readonly id: string; readonly createdAt: number } {
  const [, id, at] = /^(.+)@(\d{1,15})$/.exec(name) ?? [];
  if (id !== undefined) return { id, createdAt: Number(at) };
  throw invalid(field, `expected <id>@<milliseconds since 1970>, got "${name}"`);
}

function toBytes(text: string, field: string): number {
  if (/^(?:-1|\d{1,15})$/.test(text)) return Number(text);
  throw invalid(field, `expected a number of bytes, or -1, got "${text}"`);
}
