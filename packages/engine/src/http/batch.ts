import { HEADER } from "@perdure/core/protocol";
import type { Handler } from "hono";
import type { IntakeRequest } from "../domain/draft.ts";
import { type Intake, isOfLiveRun, toIntake } from "../domain/intake.ts";
import { toName } from "../domain/name.ts";
import { invalid, messageOf, Problem } from "../domain/problem.ts";
import { readBody } from "./body.ts";
import type { Env, Service } from "./service.ts";
import { callerIpOf, submit, toAnswer } from "./submit.ts";

type Item = Record<string, unknown>;

/**
 * `POST /v2/batch`: many at once. A faulty item is answered with `{error}` and the others proceed. But where runs are
 * concerned, clients look no further than the status: a fault in an item that belongs to a live run is a fault of the
 * whole batch, and so is it when items were to start runs and there is none that can proceed.
 */
export function batch(service: Service): Handler<Env> {
  return async (c) => {
    const items = parseItems(await readBody(c.req.raw, service.limits.requestBytes));
    const origin = { callerIp: callerIpOf(c), now: service.clock.now() };
    const read = items.map((item) => readItem(item, origin, service));
    const intakes = read.filter((one): one is Intake => !(one instanceof Problem));
    if (intakes.length === 0 && items.some(isOfRun)) throw read.find((one) => one instanceof Problem);
    const receipts = (await submit(intakes, service)).values();
    return c.json(
      read.map((one) => {
        if (one instanceof Problem) return { error: one.message };
        const receipt = receipts.next().value;
        return receipt && toAnswer(receipt);
      }),
    );
  };
}

function parseItems(body: Uint8Array): Item[] {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(body));
  } catch (cause) {
    throw new Problem(400, `the batch is not JSON: ${messageOf(cause)}`, { cause });
  }
  if (!Array.isArray(value)) throw new Problem(400, "the batch must be a JSON array of messages");
  const bad = value.findIndex((item) => typeof item !== "object" || item === null || Array.isArray(item));
  if (bad >= 0)
    throw new Problem(400, `the batch must be a JSON array of messages: item ${bad} is no object`);
  return value;
}

function readItem(
  item: Item,
  origin: Pick<IntakeRequest, "callerIp" | "now">,
  { limits }: Service,
): Intake | Problem {
  let headers = new Map<string, string>();
  try {
    headers = toHeaders(item.headers);
    const queue = toQueueName(item.queue);
    if (queue !== undefined) headers.set(HEADER.queueName.toLowerCase(), queue);
    return toIntake(
      { ...origin, headers, destination: toDestination(item), body: toBody(item.body) },
      limits,
    );
  } catch (error) {
    if (error instanceof Problem && !isOfLiveRun(headers)) return error;
    throw error;
  }
}

function isOfRun({ headers }: Item): boolean {
  return Object.keys(headers ?? {}).some((name) => name.toLowerCase() === HEADER.init.toLowerCase());
}

function toDestination({ destination }: Item): string {
  if (typeof destination === "string" && destination !== "") return destination;
  throw invalid("destination", "expected a url");
}

function toQueueName(queue: unknown): string | undefined {
  // Some clients write null for what they leave out.
  if (queue === undefined || queue === null) return undefined;
  if (typeof queue === "string") return toName(queue, "queue");
  throw invalid("queue", "expected a text");
}

function toHeaders(value: unknown): Map<string, string> {
  const headers = new Map<string, string>();
  if (value === undefined || value === null) return headers;
  if (typeof value !== "object" || Array.isArray(value))
    throw invalid("headers", "expected an object of texts");
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== "string") throw invalid(`header ${name}`, "expected a text");
    headers.set(name.toLowerCase(), text);
  }
  return headers;
}

function toBody(body: unknown): Uint8Array {
  if (body === undefined || body === null) return new Uint8Array();
  if (typeof body === "string") return new TextEncoder().encode(body);
  throw invalid("body", "expected a text");
}
