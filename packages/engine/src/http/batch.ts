import { HEADER } from "@perdure/core/protocol";
import { z } from "zod";
import { toBytes } from "../domain/bytes.ts";
import type { IntakeRequest } from "../domain/draft.ts";
import { isOfLiveRun, type StartIntake, toTrigger } from "../domain/intake.ts";
import { NAME, toName } from "../domain/name.ts";
import { invalid, Problem } from "../domain/problem.ts";
import { type Asked, resolve, sent, toAnswers } from "./destinations.ts";
import { check, json } from "./json.ts";
import { type Body, type Origin, type Routes, route, type Shown } from "./route.ts";
import type { Service } from "./service.ts";
import { error, triggered } from "./shapes.ts";
import { submit } from "./submit.ts";
import { toRunAnswer } from "./trigger.ts";

const expected = { error: "expected a url or a url group" };

/** One of many that are asked for at once. Some clients write null for what they leave out. */
const item = z
  .object({
    destination: z.string(expected).min(1, expected),
    headers: z.record(z.string(), z.string()).nullish(),
    body: z.string().nullish(),
    queue: z.string().meta(NAME).nullish(),
  })
  .meta({ id: "Item", description: "A message of a batch; its options are headers." });

/** Each of them is looked at by itself: a faulty one doesn't keep the others. */
const items: Body<readonly object[]> = {
  ...json("the batch", z.array(z.looseObject({}))),
  schema: z.array(item),
};

/**
 * A faulty item is answered with `{error}` and the others proceed. But where runs are concerned, clients look no further
 * than the status: a fault in an item that belongs to a live run is a fault of the whole batch, and so is it when items
 * were to start runs and there is none that can proceed.
 */
export const batches: Routes = {
  "/v2/batch": {
    POST: route({
      summary: "Publish many messages; a faulty one is answered with its error",
      body: items,
      answers: { 200: z.array(z.union([sent, error])) },
      async handle(input, service) {
        const read = await Promise.all(input.body.map((one) => readItem(one, input, service)));
        const asked = read.filter((one): one is Asked => !(one instanceof Problem));
        if (asked.length === 0 && input.body.some(isOfRun)) throw read.find((one) => one instanceof Problem);
        return inPlaces(read, await submitAll(asked, service));
      },
    }),
  },
  "/v2/batch/trigger": {
    POST: route({
      summary: "Start many workflow runs; a faulty one is answered with its error",
      body: items,
      answers: { 201: z.array(z.union([triggered, error])) },
      async handle(input, service) {
        const read = input.body.map((one) => readTrigger(one, input, service));
        const intakes = read.filter((one): one is StartIntake => !(one instanceof Problem));
        return inPlaces(read, (await submit(intakes, service)).map(toRunAnswer));
      },
    }),
  },
};

type Failed = Shown<typeof error>;

/** Answers, with the faults in their places among them. */
function inPlaces<Answer>(read: readonly unknown[], answers: readonly Answer[]): (Answer | Failed)[] {
  const rest = answers.values();
  return read.map((one) => (one instanceof Problem ? { error: one.message } : (rest.next().value as Answer)));
}

/** All in one transaction; where that is refused, each message by itself. */
async function submitAll(
  asked: readonly Asked[],
  service: Service,
): Promise<(Shown<typeof sent> | Failed)[]> {
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

async function readItem(one: object, origin: Origin, service: Service): Promise<Asked | Problem> {
  try {
    return await resolve(toRequest(one, origin), service);
  } catch (error) {
    if (error instanceof Problem && !isOfLiveRun(new Map(headersOf(one)))) return error;
    throw error;
  }
}

function readTrigger(one: object, origin: Origin, { limits }: Service): StartIntake | Problem {
  try {
    return toTrigger(toRequest(one, origin), limits);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}

/** @throws Problem 400 that names the field */
function toRequest(one: object, { callerIp, now }: Origin): IntakeRequest {
  const { destination, headers: given, body, queue } = check(item, one, "the item");
  const headers = new Map<string, string>();
  for (const [name, text] of Object.entries(given ?? {})) {
    const lower = name.toLowerCase();
    if (headers.has(lower)) throw invalid(`header ${name}`, "it is given twice");
    headers.set(lower, text);
  }
  if (typeof queue === "string") headers.set(HEADER.queueName.toLowerCase(), toName(queue, "queue"));
  return { destination, headers, body: toBytes(body ?? ""), callerIp, now };
}

function isOfRun(one: object): boolean {
  return headersOf(one).some(([name]) => name === HEADER.init.toLowerCase());
}

/** Also of an item that can't be read. */
function headersOf(one: { readonly headers?: unknown }): [string, string][] {
  return Object.entries(Object(one.headers)).map(([name, value]) => [name.toLowerCase(), String(value)]);
}
