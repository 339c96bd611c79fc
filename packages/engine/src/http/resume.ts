import { z } from "zod";
import { toBytes } from "../rules/bytes.ts";
import { lifetimeOf } from "../rules/command.ts";
import { checkDelays, refusePlainOptions } from "../rules/limits.ts";
import { OPTION_HEADERS } from "../rules/option-headers.ts";
import { readOptions } from "../rules/options.ts";
import type { Run } from "../rules/run.ts";
import type { HistoryEdits, ResumedRuns, ResumeRequest } from "../store/lists.ts";
import { DEAD_LETTERS, dlqId, toDeadLetterQuery } from "./dlq.ts";
import { json, optional } from "./json.ts";
import { toCursor } from "./parameters.ts";
import { type Input, type Output, type Routes, route } from "./route.ts";
import { cancelled, resumedRun } from "./schemas.ts";
import type { Service } from "./service.ts";

type Kind = ResumeRequest["kind"];

const list = z.object({ workflowRuns: z.array(resumedRun), cursor: z.string() });

const restartEdits = z.strictObject({
  payload: z.string().optional().meta({ description: "Replaces the payload of the run." }),
});

const resumeEdits = restartEdits.extend({
  results: z
    .array(
      z.strictObject({
        stepId: z.int().min(1),
        result: z.unknown().meta({ description: "Replaces the result on record: any JSON." }),
      }),
    )
    .optional(),
});

type Edits = z.output<typeof resumeEdits>;

function toEdits(body: Edits | undefined): HistoryEdits | undefined {
  if (!body) return undefined;
  const { payload, results = [] } = body;
  return {
    payload: payload === undefined ? undefined : toBytes(payload),
    results: new Map(results.map(({ stepId, result }) => [stepId, JSON.stringify(result ?? null)])),
  };
}

/** Routes to resume and restart failed runs. */
export const resumes = {
  "/v2/workflows/dlq/resume": resumeMany("resume", "Resume"),
  "/v2/workflows/dlq/resume/:id": resumeOne("resume", "Resume"),
  "/v2/workflows/dlq/restart": resumeMany("restart", "Restart"),
  "/v2/workflows/dlq/restart/:id": resumeOne("restart", "Restart"),
  "/v2/workflows/dlq/rollback/:id": {
    POST: route({
      summary: "Make the rollbacks of a failed run again that failed, and nothing else",
      params: dlqId,
      answers: { 200: resumedRun },
      handle: async ({ params: { id } }, { store }) => toView(await store.repeatRollbacks(id)),
    }),
  },
  "/v2/workflows/dlq/callback": {
    POST: route({
      summary: "Call the failure functions again that match and have failed themselves, 100 at most",
      query: DEAD_LETTERS,
      answers: { 200: list },
      async handle({ query }, { store }) {
        const asked = toDeadLetterQuery(query, true);
        // When the request has ids, the engine ignores its other filters.
        const failed = asked.dlqIds ? asked : { ...asked, callbackStates: ["CALLBACK_FAIL"] as const };
        return listView(await store.repeatReports(failed));
      },
    }),
  },
  "/v2/workflows/dlq/callback/:id": {
    POST: route({
      summary: "Call a failure function again that has failed itself, or was cancelled",
      params: dlqId,
      answers: { 200: resumedRun },
      handle: async ({ params: { id } }, { store }) => toView(await store.repeatReport(id)),
    }),
    DELETE: route({
      summary: "Make no more attempts to call a failure function",
      params: dlqId,
      answers: { 200: cancelled },
      async handle({ params: { id } }, { store }) {
        await store.cancelReport(id);
        return { cancelled: 1 };
      },
    }),
  },
} satisfies Routes;

/** Routes to act on many runs. The headers of a request replace options of the runs. */
function resumeMany(kind: Kind, verb: string) {
  return {
    POST: route({
      summary: `${verb} the failed runs that match, as new ones, 100 at most`,
      query: DEAD_LETTERS,
      headers: OPTION_HEADERS,
      answers: { 200: list },
      async handle(input, { store, limits }) {
        const how = readChanges(input, kind, limits);
        return listView(await store.resumeRuns(toDeadLetterQuery(input.query, true), how));
      },
    }),
  };
}

function resumeOne(kind: Kind, verb: string) {
  return {
    POST: route({
      summary: `${verb} a failed run, as a new one`,
      params: dlqId,
      headers: OPTION_HEADERS,
      body: optional(json("the body", kind === "resume" ? resumeEdits : restartEdits)),
      answers: { 200: resumedRun },
      async handle(input, { store, limits }) {
        const how = { ...readChanges(input, kind, limits), edits: toEdits(input.body) };
        return toView(await store.resumeRun(input.params.id, how));
      },
    }),
  };
}

/** Reads the options that change when runs are resumed or restarted. */
export function readChanges(
  { headers, now }: Pick<Input, "headers" | "now">,
  kind: Kind,
  limits: Service["limits"],
): ResumeRequest {
  const options = readOptions(headers, limits);
  refusePlainOptions(options);
  checkDelays(options, now, limits);
  return { kind, options, lifetime: lifetimeOf(headers) };
}

function toView({ id, createdAt }: Pick<Run, "id" | "createdAt">): Output<typeof resumedRun> {
  return { workflowRunId: id, workflowCreatedAt: createdAt };
}

function listView({ runs, next }: ResumedRuns): Output<typeof list> {
  return { workflowRuns: runs.map(toView), cursor: toCursor(next).cursor ?? "" };
}
