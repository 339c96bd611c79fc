import type { Context, Handler } from "hono";
import { lifetimeOf } from "../domain/intake.ts";
import { checkDelays, refusePlainOptions } from "../domain/limits.ts";
import { readOptions } from "../domain/options.ts";
import { Problem } from "../domain/problem.ts";
import type { Run } from "../domain/run.ts";
import type { Revival } from "../store/lists.ts";
import { findDeadLetter, readDeadLetterQuery } from "./dlq.ts";
import { toCursor } from "./query.ts";
import type { Env, Service } from "./service.ts";
import { announce, readHeaders } from "./submit.ts";

type Kind = Revival["kind"];

/** `POST /v2/workflows/dlq/resume` and `/restart`: those that match, 100 at most; headers say what is to be different. */
export function revive(service: Service, kind: Kind): Handler<Env> {
  const { store, clock, emit } = service;
  return async (c) => {
    const query = readDeadLetterQuery(c.req.raw.url, true);
    const how = readChanges(c, kind, service);
    const { runs, next } = await store.revive(query, how, clock.now());
    for (const { id, url } of runs) emit({ type: "run.revived", runId: id, url });
    return c.json({ workflowRuns: runs.map(toView), cursor: toCursor(next).cursor ?? "" });
  };
}

/** As {@link revive}, for one by its id. */
export function reviveOne(service: Service, kind: Kind): Handler<Env, "/:id"> {
  const { store, clock, emit } = service;
  return async (c) => {
    const dlqId = c.req.param("id");
    const how = readChanges(c, kind, service);
    const { runs } = await store.revive({ dlqIds: [dlqId], count: 1 }, how, clock.now());
    const [run] = runs;
    if (!run) throw await notRevived(dlqId, service);
    emit({ type: "run.revived", runId: run.id, url: run.url });
    return c.json(toView(run));
  };
}

async function notRevived(dlqId: string, { store }: Service): Promise<Problem> {
  const [letter] = (await store.deadLetters({ dlqIds: [dlqId], count: 1, ofRuns: true })).items;
  return letter
    ? new Problem(
        400,
        `dead letter ${dlqId} can't be taken up again yet: its rollbacks or its failure function are under way; wait for them, or cancel them`,
      )
    : new Problem(404, `dead letter ${dlqId} of a workflow run not found`);
}

/** `POST /v2/workflows/dlq/rollback/{id}`: has the rollbacks made again that failed, and nothing else. */
export function repeatRollbacks(service: Service): Handler<Env, "/:id"> {
  const { store, clock } = service;
  return async (c) => {
    const dlqId = c.req.param("id");
    await findDeadLetter(dlqId, service, true);
    const run = await store.repeatRollbacks(dlqId, clock.now());
    if (run) return c.json(toView(run));
    throw new Problem(
      400,
      `dead letter ${dlqId} has no rollbacks that failed, or something of it is under way`,
    );
  };
}

/** `POST /v2/workflows/dlq/callback`: has those called again that match and have failed, 100 at most. */
export function repeatReports(service: Service): Handler<Env> {
  const { store, clock } = service;
  return async (c) => {
    const query = readDeadLetterQuery(c.req.raw.url, true);
    const { items, next } = await store.deadLetters(
      query.dlqIds ? query : { ...query, callbackStates: ["CALLBACK_FAIL"] },
    );
    const runs: Run[] = [];
    for (const { dlqId } of items) {
      const run = await store.repeatReport(dlqId, clock.now());
      if (run) runs.push(run);
    }
    return c.json({ workflowRuns: runs.map(toView), cursor: toCursor(next).cursor ?? "" });
  };
}

/** `POST /v2/workflows/dlq/callback/{id}`: has a failure function called again that has failed itself, or was cancelled. */
export function repeatReport(service: Service): Handler<Env, "/:id"> {
  const { store, clock } = service;
  return async (c) => {
    const dlqId = c.req.param("id");
    const { callback } = await findDeadLetter(dlqId, service, true);
    const run = await store.repeatReport(dlqId, clock.now());
    if (run) return c.json(toView(run));
    throw new Problem(
      400,
      `the failure function of dead letter ${dlqId} can't be called again: it is ${callback?.state ?? "NONE"}, not CALLBACK_FAIL or CALLBACK_CANCELED`,
    );
  };
}

/** `DELETE /v2/workflows/dlq/callback/{id}`: makes no more attempts to call a failure function. */
export function cancelReport(service: Service): Handler<Env, "/:id"> {
  const { store, clock } = service;
  return async (c) => {
    const dlqId = c.req.param("id");
    const { callback } = await findDeadLetter(dlqId, service, true);
    const canceled = callback && (await store.cancelMessage(callback.message.id, clock.now()));
    if (!canceled?.canceled) {
      throw new Problem(
        400,
        `the failure function of dead letter ${dlqId} can't be canceled: it is ${callback?.state ?? "NONE"}, not CALLBACK_INPROGRESS`,
      );
    }
    announce(canceled.recorded, service);
    return c.json({ cancelled: 1 });
  };
}

/** What is to be different. */
function readChanges(c: Context<Env>, kind: Kind, { limits, clock }: Service): Revival {
  const headers = readHeaders(c);
  const options = readOptions(headers, limits);
  refusePlainOptions(options);
  checkDelays(options, clock.now(), limits);
  return { kind, options, lifetime: lifetimeOf(headers) };
}

function toView({ id, createdAt }: { id: string; createdAt: number }): object {
  return { workflowRunId: id, workflowCreatedAt: createdAt };
}
