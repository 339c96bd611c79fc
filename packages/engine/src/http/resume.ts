import { z } from "zod";
import { lifetimeOf } from "../rules/command.ts";
import { EngineError } from "../rules/engine-error.ts";
import { checkDelays, refusePlainOptions } from "../rules/limits.ts";
import { OPTION_HEADERS } from "../rules/option-headers.ts";
import { readOptions } from "../rules/options.ts";
import type { Run } from "../rules/run.ts";
import type { ResumeRequest } from "../store/lists.ts";
import { DEAD_LETTERS, dlqId, findDeadLetter, toDeadLetterQuery } from "./dlq.ts";
import { toCursor } from "./parameters.ts";
import { type Input, type Output, type Routes, route } from "./route.ts";
import { cancelled, resumedRun } from "./schemas.ts";
import type { Service } from "./service.ts";

type Kind = ResumeRequest["kind"];

const list = z.object({ workflowRuns: z.array(resumedRun), cursor: z.string() });

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
      async handle({ params: { id } }, service) {
        await findDeadLetter(id, service, true);
        const run = await service.store.repeatRollbacks(id);
        if (run) return toView(run);
        throw new EngineError(
          "conflict",
          `dead letter ${id} has no rollbacks that failed, or something of it is under way`,
        );
      },
    }),
  },
  "/v2/workflows/dlq/callback": {
    POST: route({
      summary: "Call the failure functions again that match and have failed themselves, 100 at most",
      query: DEAD_LETTERS,
      answers: { 200: list },
      async handle({ query }, { store }) {
        const asked = toDeadLetterQuery(query, true);
        const { items, next } = await store.deadLetters(
          asked.dlqIds ? asked : { ...asked, callbackStates: ["CALLBACK_FAIL"] },
        );
        const runs: Run[] = [];
        for (const letter of items) {
          const run = await store.repeatReport(letter.dlqId);
          if (run) runs.push(run);
        }
        return { workflowRuns: runs.map(toView), cursor: toCursor(next).cursor ?? "" };
      },
    }),
  },
  "/v2/workflows/dlq/callback/:id": {
    POST: route({
      summary: "Call a failure function again that has failed itself, or was cancelled",
      params: dlqId,
      answers: { 200: resumedRun },
      async handle({ params: { id } }, service) {
        const { callback } = await findDeadLetter(id, service, true);
        const run = await service.store.repeatReport(id);
        if (run) return toView(run);
        throw new EngineError(
          "conflict",
          `the failure function of dead letter ${id} can't be called again: it is ${callback?.state ?? "NONE"}, not CALLBACK_FAIL or CALLBACK_CANCELED`,
        );
      },
    }),
    DELETE: route({
      summary: "Make no more attempts to call a failure function",
      params: dlqId,
      answers: { 200: cancelled },
      async handle({ params: { id } }, service) {
        const { callback } = await findDeadLetter(id, service, true);
        const cancelled = callback && (await service.store.cancelMessage(callback.message.id));
        if (!cancelled) {
          throw new EngineError(
            "conflict",
            `the failure function of dead letter ${id} can't be canceled: it is ${callback?.state ?? "NONE"}, not CALLBACK_INPROGRESS`,
          );
        }
        return { cancelled: 1 };
      },
    }),
  },
} satisfies Routes;

/** Headers say what is to be different. */
function resumeMany(kind: Kind, verb: string) {
  return {
    POST: route({
      summary: `${verb} the failed runs that match, as new ones, 100 at most`,
      query: DEAD_LETTERS,
      headers: OPTION_HEADERS,
      answers: { 200: list },
      async handle(input, { store, limits }) {
        const how = readChanges(input, kind, limits);
        const { runs, next } = await store.resumeRuns(toDeadLetterQuery(input.query, true), how);
        return { workflowRuns: runs.map(toView), cursor: toCursor(next).cursor ?? "" };
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
      answers: { 200: resumedRun },
      async handle(input, service) {
        const { store, limits } = service;
        const { id } = input.params;
        const how = readChanges(input, kind, limits);
        const [run] = (await store.resumeRuns({ dlqIds: [id], count: 1 }, how)).runs;
        if (!run) throw await notResumed(id, service);
        return toView(run);
      },
    }),
  };
}

async function notResumed(id: string, { store }: Service): Promise<EngineError> {
  const [letter] = (await store.deadLetters({ dlqIds: [id], count: 1, ofRuns: true })).items;
  return letter
    ? new EngineError(
        "conflict",
        `dead letter ${id} can't be taken up again yet: its rollbacks or its failure function are under way; wait for them, or cancel them`,
      )
    : new EngineError("not_found", `dead letter ${id} of a workflow run not found`);
}

function readChanges(
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
