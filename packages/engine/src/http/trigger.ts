import type { Handler } from "hono";
import { toTrigger } from "../domain/intake.ts";
import type { Receipt } from "../store/store.ts";
import type { Env, Service } from "./service.ts";
import { readSubmission, submit } from "./submit.ts";

/** `POST /v2/trigger/{url}`: starts a run for a sender that knows nothing of the endpoint's protocol. */
export function trigger(service: Service): Handler<Env> {
  return async (c) => {
    const intake = toTrigger(await readSubmission(c, "/v2/trigger/", service), service.limits);
    const [receipt] = (await submit([intake], service)) as [Receipt];
    return c.json(toRunAnswer(receipt));
  };
}

/** What the sender is told of a run. */
export function toRunAnswer({ run, deduplicated }: Receipt): object {
  return {
    workflowRunId: run?.id,
    workflowCreatedAt: run?.createdAt,
    ...(deduplicated ? { deduplicated } : {}),
  };
}
