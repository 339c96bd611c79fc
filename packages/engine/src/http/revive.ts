import { z } from "zod";
import { lifetimeOf } from "../rules/intake.ts";
import { checkDelays, refusePlainOptions } from "../rules/limits.ts";
import { OPTION_HEADERS } from "../rules/option-headers.ts";
import { readOptions } from "../rules/options.ts";
import { Problem } from "../rules/problem.ts";
import type { Run } from "../rules/run.ts";
import type { Revival } from "../store/lists.ts";
import { DEAD_LETTERS, dlqId, findDeadLetter, toDeadLetterQuery } from "./dlq.ts";
import { toCursor } from "./parameters.ts";
import { type Input, type Routes, route, type Shown } from "./route.ts";
import type { Service } from "./service.ts";
import { cancelled, revived } from "./shapes.ts";

type Kind = Revival["kind"];

const list = z.object({ workflowRuns: z.array(revived), cursor: z.string() });

/** What becomes of failed runs. */
export const revivals: Routes = {
  "/v2/workflows/dlq/resume": reviveMany("resume", "Resume"),
  "/v2/workflows/dlq/resume/:id": reviveOne("resume", "Resume"),
  "/v2/workflows/dlq/restart": reviveMany("restart", "Restart"),
  "/v2/workflows/dlq/restart/:id": reviveOne("restart", "Restart"),
  "/v2/workflows/dlq/rollback/:id": {
    POST: route({
      summary: "Make the rollbacks of a failed run again that failed, and nothing else",
      params: dlqId,
      answers: { 200: revived },
      async handle({ params: { id } }, service) {
        await findDeadLetter(id, service, true);
        const run = await service.store.repeatRollbacks(id);
        if (run) return toView(run);
        throw new Problem(
          400,
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
      answers: { 200: revived },
      async handle({ params: { id } }, service) {
        const { callback } = await findDeadLetter(id, service, true);
        const run = await service.store.repeatReport(id);
        if (run) return toView(run);
        throw new Problem(
          400,
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
          throw new Problem(
            400,
            `the failure function of dead letter ${id} can't be canceled: it is ${callback?.state ?? "NONE"}, not CALLBACK_INPROGRESS`,
          );
        }
        return { cancelled: 1 };
      },
    }),
  },
};

/** Headers say what is to be different. */
function reviveMany(kind: Kind, verb: string): Routes[string] {
  return {
    POST: route({
      summary: `${verb} the failed runs that match, as new ones, 100 at most`,
      query: DEAD_LETTERS,
      headers: OPTION_HEADERS,
      answers: { 200: list },
      async handle(input, { store, limits }) {
        const how = readChanges(input, kind, limits);
        const { runs, next } = await store.revive(toDeadLetterQuery(input.query, true), how);
        return { workflowRuns: runs.map(toView), cursor: toCursor(next).cursor ?? "" };
      },
    }),
  };
}

function reviveOne(kind: Kind, verb: string): Routes[string] {
  return {
    POST: route({
      summary: `${verb} a failed run, as a new one`,
      params: dlqId,
      headers: OPTION_HEADERS,
      answers: { 200: revived },
      async handle(input, service) {
        const { store, limits } = service;
        const { id } = input.params;
        const how = readChanges(input, kind, limits);
        const [run] = (await store.revive({ dlqIds: [id], count: 1 }, how)).runs;
        if (!run) throw await notRevived(id, service);
        return toView(run);
      },
    }),
  };
}

async function notRevived(id: string, { store }: Service): Promise<Problem> {
  const [letter] = (await store.deadLetters({ dlqIds: [id], count: 1, ofRuns: true })).items;
  return letter
    ? new Problem(
        400,
        `dead letter ${id} can't be taken up again yet: its rollbacks or its failure function are under way; wait for them, or cancel them`,
      )
    : new Problem(404, `dead letter ${id} of a workflow run not found`);
}

function readChanges(
  { headers, now }: Pick<Input, "headers" | "now">,
  kind: Kind,
  limits: Service["limits"],
): Revival {
  const options = readOptions(headers, limits);
  refusePlainOptions(options);
  checkDelays(options, now, limits);
  return { kind, options, lifetime: lifetimeOf(headers) };
}

function toView({ id, createdAt }: Pick<Run, "id" | "createdAt">): Shown<typeof revived> {
  return { workflowRunId: id, workflowCreatedAt: createdAt };
}
