import { HEADER } from "@perdure/core/protocol";
import type { Handler } from "hono";
import type { IntakeRequest } from "../domain/draft.ts";
import { isOfLiveRun } from "../domain/intake.ts";
import { toName } from "../domain/name.ts";
import { invalid, Problem } from "../domain/problem.ts";
import { readBody } from "./body.ts";
import { type Asked, resolve, toAnswers } from "./destinations.ts";
import { parseJson } from "./json.ts";
import type { Env, Service } from "./service.ts";
import { callerIpOf, submit } from "./submit.ts";

/** One of many that are asked for at once. */
export type Item = Record<string, unknown>;

/**
 * `POST /v2/batch`: many at once. A faulty item is answered with `{error}` and the others proceed. But where runs are
 * concerned, clients look no further than the status: a fault in an item that belongs to a live run is a fault of the
 * whole batch, and so is it when items were to start runs and there is none that can proceed.
 */
export function batch(service: Service): Handler<Env> {
  return async (c) => {
    const items = parseItems(await readBody(c.req.raw, service.limits.requestBytes));
    const origin = { callerIp: callerIpOf(c), now: service.clock.now() };
    const read = await Promise.all(items.map((item) => readItem(item, origin, service)));
    const asked = read.filter((one): one is Asked => !(one instanceof Problem));
    if (asked.length === 0 && items.some(isOfRun)) throw read.find((one) => one instanceof Problem);
    const answers = (await submitAll(asked, service)).values();
    return c.json(
      read.map((one) => (one instanceof Problem ? { error: one.message } : answers.next().value)),
    );
  };
}

/** All in one transaction; where that is refused, each message by itself. */
async function submitAll(asked: readonly Asked[], service: Service): Promise<object[]> {
  const intakes = asked.flatMap((one) => one.intakes);
  try {
    const receipts = await submit(intakes, service);
    let taken = 0;
    return asked.map((one) => {
      const first = taken;
      taken += one.intakes.length;
      return toAnswers(one, receipts.slice(first, taken));
    });
  } catch (error) {
    const plain = intakes.every(({ kind }) => kind === "message");
    if (!(error instanceof Problem) || !plain) throw error;
  }
  return Promise.all(
    asked.map(async (one) => {
      try {
        return toAnswers(one, await submit(one.intakes, service));
      } catch (error) {
        if (error instanceof Problem) return { error: error.message };
        throw error;
      }
    }),
  );
}

/** @throws Problem 400 unless it is a list of objects */
export function parseItems(body: Uint8Array): Item[] {
  const value = parseJson(body, "the batch");
  if (!Array.isArray(value)) throw new Problem(400, "the batch must be a JSON array of messages");
  const bad = value.findIndex((item) => typeof item !== "object" || item === null || Array.isArray(item));
  if (bad >= 0)
    throw new Problem(400, `the batch must be a JSON array of messages: item ${bad} is no object`);
  return value;
}

async function readItem(item: Item, origin: Origin, service: Service): Promise<Asked | Problem> {
  let headers = new Map<string, string>();
  try {
    headers = toHeaders(item.headers);
    const queue = toQueueName(item.queue);
    if (queue !== undefined) headers.set(HEADER.queueName.toLowerCase(), queue);
    return await resolve(toRequest(item, headers, origin), service);
  } catch (error) {
    if (error instanceof Problem && !isOfLiveRun(headers)) return error;
    throw error;
  }
}

/** Where all items of a batch come from. */
export type Origin = Pick<IntakeRequest, "callerIp" | "now">;

/** @throws Problem 400 that names the field */
export function toRequest(item: Item, headers: Map<string, string>, origin: Origin): IntakeRequest {
  return { ...origin, headers, destination: toDestination(item), body: toBody(item.body) };
}

function isOfRun({ headers }: Item): boolean {
  return Object.keys(headers ?? {}).some((name) => name.toLowerCase() === HEADER.init.toLowerCase());
}

function toDestination({ destination }: Item): string {
  if (typeof destination === "string" && destination !== "") return destination;
  throw invalid("destination", "expected a url or a url group");
}

function toQueueName(queue: unknown): string | undefined {
  // Some clients write null for what they leave out.
  if (queue === undefined || queue === null) return undefined;
  if (typeof queue === "string") return toName(queue, "queue");
  throw invalid("queue", "expected a text");
}

/** @throws Problem 400 that names the header */
export function toHeaders(value: unknown): Map<string, string> {
  const headers = new Map<string, string>();
  if (value === undefined || value === null) return headers;
  if (typeof value !== "object" || Array.isArray(value))
    throw invalid("headers", "expected an object of texts");
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== "string") throw invalid(`header ${name}`, "expected a text");
    const lower = name.toLowerCase();
    if (headers.has(lower)) throw invalid(`header ${name}`, "it is given twice");
    headers.set(lower, text);
  }
  return headers;
}

function toBody(body: unknown): Uint8Array {
  if (body === undefined || body === null) return new Uint8Array();
  if (typeof body === "string") return new TextEncoder().encode(body);
  throw invalid("body", "expected a text");
}
