import type { Handler } from "hono";
import { toIntake } from "../domain/intake.ts";
import type { Receipt } from "../store/store.ts";
import type { Env, Service } from "./service.ts";
import { readSubmission, submit, toAnswer } from "./submit.ts";

/** `POST /v2/publish/{url}`: a message, the start of a run, or a step of one. 202 for what is there already. */
export function publish(service: Service): Handler<Env> {
  return async (c) => {
    const intake = toIntake(await readSubmission(c, "/v2/publish/", service), service.limits);
    const [receipt] = (await submit([intake], service)) as [Receipt];
    return c.json(toAnswer(receipt), receipt.deduplicated ? 202 : 200);
  };
}
