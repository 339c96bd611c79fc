import { type AttemptEntry, isKeyOf, resultId } from "@perdure/core/protocol";
import { z } from "zod";
import type { RunOverview } from "../queries/run-overview.ts";
import { openPlans, type StepsPage } from "../queries/run-steps.ts";
import { toHeaderMap } from "../rules/header.ts";
import { recordOf } from "../rules/record.ts";
import { describeWait, type WaitReason } from "../rules/wait-reason.ts";
import type { LoggedRollback, RunLog } from "../store/lists.ts";
import { createTimeSlices, mapInSlices } from "../store/time-slices.ts";
import { count, cursor as cursorOf, part, time as timeOf, toCursor } from "./parameters.ts";
import { type Output, type Routes, route } from "./route.ts";
import {
  type Branch,
  branchView,
  cancelView,
  errorView,
  failureView,
  headView,
  initView,
  invokerView,
  nextOf,
  restOf,
} from "./run-log.ts";
import { failureFunction, invoker, report, runError, runHead, step } from "./run-schemas.ts";
import { base64, cursor, headers, rollbacks, time } from "./schemas.ts";
import { bodyView, redactHeaders, rollbacksView } from "./serializers.ts";
import { waitingSince } from "./step-kinds.ts";
import { shownBody } from "./step-state.ts";

const MAX_PAGE_SIZE = 1000;
const DEFAULT_PAGE_SIZE = 200;

const params = { id: part };
const named = { workflowCreatedAt: timeOf };

const reason = z
  .object({
    kind: z.enum([
      "event",
      "webhook",
      "sleep",
      "child",
      "call",
      "retry",
      "delivery",
      "delivering",
      "flowControl",
      "queue",
      "destination",
      "failureFunction",
      "cancelFunction",
      "rollback",
    ]),
    text: z.string().meta({ description: "The reason as an English sentence." }),
    stepName: z.string().optional(),
    eventId: z.string().optional(),
    until: time.optional(),
    at: time.optional(),
    workflowRunId: z.string().optional(),
    workflowRunCreatedAt: time.optional(),
    url: z.string().optional(),
    attempt: z.int().optional(),
    attempts: z.int().optional(),
    key: z.string().optional(),
    reason: z.enum(["paused", "parallelism", "rate", "turn"]).optional(),
    active: z.int().optional(),
    limit: z.int().optional(),
    waiting: z.int().optional(),
    queue: z.string().optional(),
    ahead: z.int().optional(),
    host: z.string().optional(),
  })
  .meta({ id: "WaitReason", description: "Why a run doesn't go on at this moment." });

const overview = z
  .object({
    ...runHead,
    workflowRunCallerIp: z.string(),
    labels: z.array(z.string()),
    flowControlKey: z.string().optional(),
    inline: z.boolean().meta({ description: "The endpoint runs many steps in one delivery." }),
    deadline: time.optional().meta({ description: "When the run fails unless it has ended." }),
    payload: z.string().optional(),
    payloadBase64: base64.optional(),
    payloadHeaders: headers,
    workflowRunResponse: z.string().optional(),
    stepCount: z.int(),
    error: runError.optional(),
    dlqId: z.string().optional(),
    fingerprint: z
      .string()
      .optional()
      .meta({ description: "The group of its failure: a filter of all lists of dead letters." }),
    failureFunction: failureFunction.optional(),
    cancelFunction: report.optional(),
    rollbacks,
    invoker,
    children: z.array(z.object({ ...runHead, stepName: z.string() })),
    resumedFrom: z.string().optional().meta({ description: "The first failed run of the chain." }),
    resumedAs: z.object(runHead).optional(),
    waitsFor: z.array(reason),
  })
  .meta({ id: "RunOverview", description: "A run with everything but its steps." });

const stepDetail = z
  .object({
    ...step.shape,
    startedAt: time.optional().meta({ description: "When the step's work began, or its wait." }),
    durationMs: z.number().optional().meta({ description: "How long the work, or the wait, took." }),
    group: z.int().optional().meta({ description: "Steps that ran side by side have the same number." }),
    invocation: z.int().optional().meta({
      description: "The delivery in which an inline run did the step: steps with the same number share one.",
    }),
    rollback: rollbacks
      .unwrap()
      .element.pick({ state: true, attempts: true, error: true, time: true })
      .optional(),
  })
  .meta({ id: "Step" });

/** Routes of one run. */
export const runDetails = {
  "/v2/workflows/runs/:id/overview": {
    GET: route({
      summary: "Get a run with everything but its steps: its failure, its relatives, and what it waits for",
      params,
      query: named,
      answers: { 200: overview },
      async handle({ params: { id }, query: { workflowCreatedAt: createdAt } }, { store }) {
        return overviewView(await store.runOverview({ id, createdAt }));
      },
    }),
  },
  "/v2/workflows/runs/:id/steps": {
    GET: route({
      summary:
        "List the steps of a run in the order of its history; the last page also has those in progress",
      params,
      query: { ...named, count: count(MAX_PAGE_SIZE), cursor: cursorOf },
      answers: { 200: z.object({ steps: z.array(stepDetail), ...cursor }) },
      async handle({ params: { id }, query }, { store }) {
        const { workflowCreatedAt: createdAt, count: size = DEFAULT_PAGE_SIZE, cursor: after } = query;
        const page = await store.runSteps({ id, createdAt, count: size, after });
        return { steps: await stepViews(page), ...toCursor(page.next) };
      },
    }),
  },
} satisfies Routes;

function overviewView(one: RunOverview): Output<typeof overview> {
  const { run, failure } = one;
  const { redact, forward } = run.config;
  const { body: payload, bodyBase64: payloadBase64 } = bodyView("body", one.payload, redact?.body);
  return {
    ...headView(run),
    workflowRunCallerIp: run.callerIp,
    labels: run.config.labels,
    ...(run.config.flow ? { flowControlKey: run.config.flow.key } : {}),
    inline: run.inline,
    ...(one.deadline === undefined ? {} : { deadline: one.deadline }),
    ...(payload === undefined ? {} : { payload }),
    ...(payloadBase64 === undefined ? {} : { payloadBase64 }),
    payloadHeaders: redactHeaders(toHeaderMap(forward), redact),
    ...(run.response === undefined ? {} : { workflowRunResponse: shownBody(run.response, run) }),
    stepCount: one.steps,
    ...(failure ? { error: errorView(failure.failure), ...failureView(failure) } : {}),
    ...(failure?.fingerprint === undefined ? {} : { fingerprint: failure.fingerprint }),
    ...(one.cancel ? cancelView(one.cancel) : {}),
    ...rollbacksView(one.rollbacks),
    ...(run.invoker ? { invoker: invokerView(run.invoker) } : {}),
    children: one.children.map((child) => ({
      ...headView(child),
      stepName: child.invoker?.step.stepName ?? "",
    })),
    ...(run.origin === undefined ? {} : { resumedFrom: run.origin }),
    ...(one.successor ? { resumedAs: headView(one.successor) } : {}),
    waitsFor: one.waitsFor.map(reasonView),
  };
}

function reasonView(one: WaitReason): Output<typeof reason> {
  return { ...one, text: describeWait(one) };
}

type StepDetail = Output<typeof stepDetail>;

async function stepViews(page: StepsPage): Promise<StepDetail[]> {
  const { log, shown, groups, next } = page;
  const pause = createTimeSlices();
  const rest = await restOf(log, pause);
  const rollbackOf = new Map(log.rollbacks.map((one) => [one.stepId, one]));
  const detailed = (id: number, view: Output<typeof step>): StepDetail => {
    const group = groups.get(id);
    const rollback = rollbackOf.get(id);
    return {
      ...view,
      ...(group === undefined ? {} : { group }),
      ...(rollback ? { rollback: rollbackView(rollback) } : {}),
    };
  };
  const placed = (view: StepDetail): StepDetail => {
    const { state, messageId, stepName = "" } = view;
    const invocation = leases.get(state === "STEP_SUCCESS" ? messageId : stepName);
    return { ...view, ...timesOf(view, log), ...(invocation === undefined ? {} : { invocation }) };
  };
  const leases = leasesOf(log);
  const viewOf = (branch: Branch): StepDetail =>
    detailed(resultId(branch.record), branchView(branch, log, rest));
  const recorded = await mapInSlices(
    shown.flatMap((key) => log.entries.get(key) ?? []),
    (entry) =>
      isKeyOf("result", entry.key) ? viewOf({ record: recordOf(entry), entry }) : initView(entry, log.run),
    pause,
  );
  if (next !== undefined) return mapInSlices(recorded, placed, pause);
  const planned = await mapInSlices(openPlans(page), viewOf, pause);
  return mapInSlices([...recorded, ...planned, ...nextOf(log, rest)], placed, pause);
}

/** The leases under which results were appended, by their messages, and failed attempts, by the names of their steps. */
function leasesOf({ entries }: RunLog): Map<string, number | undefined> {
  const leases = new Map<string, number | undefined>();
  for (const { messageId, callType, lease, body } of entries.values()) {
    if (callType === "attempt") {
      const { step } = JSON.parse(Buffer.from(body, "base64").toString()) as AttemptEntry;
      leases.set(step.name, lease);
    } else leases.set(messageId, lease);
  }
  return leases;
}

/** The begin and the duration of a step's wait. The endpoint reports those of its own work. */
function timesOf({ stepId, state, createdAt }: StepDetail, log: RunLog): Partial<StepDetail> {
  const startedAt = stepId === undefined ? undefined : waitingSince(log, stepId);
  if (startedAt === undefined) return {};
  const isOver = state === "STEP_SUCCESS" && createdAt !== undefined;
  return { startedAt, ...(isOver ? { durationMs: createdAt - startedAt } : {}) };
}

function rollbackView({ state, attempts, error, time }: LoggedRollback): NonNullable<StepDetail["rollback"]> {
  return { state, attempts, ...(error ? { error } : {}), ...(time === undefined ? {} : { time }) };
}
