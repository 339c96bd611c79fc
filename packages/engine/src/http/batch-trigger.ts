import type { Handler } from "hono";
import { type StartIntake, toTrigger } from "../domain/intake.ts";
import { Problem } from "../domain/problem.ts";
import type { Receipt } from "../store/store.ts";
import { type Item, type Origin, parseItems, toHeaders, toRequest } from "./batch.ts";
import { readBody } from "./body.ts";
import type { Env, Service } from "./service.ts";
import { callerIpOf, submit } from "./submit.ts";
import { toRunAnswer } from "./trigger.ts";

/** `POST /v2/batch/trigger`: starts many runs at once. A faulty item is answered with `{error}`, the others proceed. */
export function batchTrigger(service: Service): Handler<Env> {
  return async (c) => {
    const items = parseItems(await readBody(c.req.raw, service.limits.requestBytes));
    const origin = { callerIp: callerIpOf(c), now: service.clock.now() };
    const read = items.map((item) => readItem(item, origin, service));
    const intakes = read.filter((one): one is StartIntake => !(one instanceof Problem));
    const receipts = (await submit(intakes, service)).values();
    return c.json(
      read.map((one) =>
        one instanceof Problem ? { error: one.message } : toRunAnswer(receipts.next().value as Receipt),
      ),
      201,
    );
  };
}

function readItem(item: Item, origin: Origin, { limits }: Service): StartIntake | Problem {
  try {
    return toTrigger(toRequest(item, toHeaders(item.headers), origin), limits);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}
