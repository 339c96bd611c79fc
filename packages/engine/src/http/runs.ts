import type { Handler } from "hono";
import { invalid, Problem } from "../domain/problem.ts";
import { readBody } from "./body.ts";
import type { Env, Service } from "./service.ts";

/** `GET /v2/workflows/runs/{id}`: the history of a live run. */
export function getRun({ store }: Service): Handler<Env, "/v2/workflows/runs/:id"> {
  return async (c) => {
    const id = c.req.param("id");
    const history = await store.history(id);
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
    const cancel = toFlag(c.req.query("cancel"));
    const body = await readBody(c.req.raw, limits.requestBytes);
    const response = cancel || body.length === 0 ? undefined : new TextDecoder().decode(body);
    const now = clock.now();
    const { kind, run } = await store.endRun(
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
    return c.json({ cancelled: kind === "ended" && cancel ? 1 : 0 });
  };
}

function toFlag(value: string | undefined): boolean {
  // Without it, the request is a plain one to cancel.
  if (value === undefined || value.toLowerCase() === "true") return true;
  if (value.toLowerCase() === "false") return false;
  throw invalid("cancel", `expected true or false, got "${value}"`);
}
