import { HEADER } from "@perdure/core/protocol";
import { z } from "zod";
import { toBytes } from "../rules/bytes.ts";
import { belongsToLiveRun, type Command, parseTrigger, type StartRun } from "../rules/command.ts";
import { EngineError, invalid } from "../rules/engine-error.ts";
import { NAME, toName } from "../rules/name.ts";
import type { PublishRequest } from "../rules/new-message.ts";
import type { Receipt } from "../store/receipt.ts";
import { type RequestedDestination, resolve, sent, toAnswers } from "./destinations.ts";
import { check, json, parseJson } from "./json.ts";
import { type Body, type Origin, type Output, type Routes, route } from "./route.ts";
import { error, triggered } from "./schemas.ts";
import type { Service } from "./service.ts";
import { submit, submitEach } from "./submit.ts";
import { createTimeSlices } from "./time-slices.ts";
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

const anything = z.array(z.looseObject({}));

/** Each of them is looked at by itself: a faulty one doesn't keep the others. */
const items: Body<readonly object[]> = {
  ...json("the batch", anything),
  schema: z.array(item),
  read: async (bytes, { batchItems }) =>
    check(anything, await parseJson(bytes, "the batch", batchItems), "the batch"),
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
        const read = await readItems(input.body, input, service);
        const asked = read.filter((one): one is RequestedDestination => !(one instanceof EngineError));
        if (asked.length === 0 && input.body.some(isOfRun))
          throw read.find((one) => one instanceof EngineError);
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
        const pause = createTimeSlices();
        const read: (StartRun | EngineError)[] = [];
        for (const one of input.body) {
          await pause();
          read.push(readTrigger(one, input, service));
        }
        const commands = read.filter((one): one is StartRun => !(one instanceof EngineError));
        const outcomes = await submitEach(commands, service);
        return inPlaces(
          read,
          outcomes.map((one) => (one instanceof EngineError ? { error: one.message } : toRunAnswer(one))),
        );
      },
    }),
  },
};

type Failed = Output<typeof error>;

/** Answers, with the faults in their places among them. */
function inPlaces<Answer>(read: readonly unknown[], answers: readonly Answer[]): (Answer | Failed)[] {
  const rest = answers.values();
  return read.map((one) =>
    one instanceof EngineError ? { error: one.message } : (rest.next().value as Answer),
  );
}

/** What belongs to a live run is stored in one transaction; other items don't depend on each other. */
async function submitAll(
  asked: readonly RequestedDestination[],
  service: Service,
): Promise<(Output<typeof sent> | Failed)[]> {
  const commands = asked.flatMap((one) => one.commands);
  const store = commands.every(standsAlone) ? submitEach : submit;
  const outcomes = await store(commands, service);
  let taken = 0;
  return asked.map((one) => {
    const own = outcomes.slice(taken, taken + one.commands.length);
    taken += own.length;
    const problem = own.find((outcome) => outcome instanceof EngineError);
    if (problem) return { error: problem.message };
    return toAnswers(one, own.filter(isReceipt));
  });
}

function isReceipt(outcome: Receipt | EngineError): outcome is Receipt {
  return !(outcome instanceof EngineError);
}

/** Nothing that is there already has a part in it. */
function standsAlone(command: Command): boolean {
  if (command.kind === "start") return !command.configuresRun && command.run.invoker === undefined;
  return command.kind === "message";
}

/** @throws EngineError `too_large` for items that become more messages than a batch may have */
async function readItems(
  items: readonly object[],
  origin: Origin,
  service: Service,
): Promise<(RequestedDestination | EngineError)[]> {
  const pause = createTimeSlices();
  const read: (RequestedDestination | EngineError)[] = [];
  let room = service.limits.batchItems;
  for (const one of items) {
    await pause();
    const asked = await readItem(one, origin, service, room);
    read.push(asked);
    if (!(asked instanceof EngineError)) room -= asked.commands.length;
  }
  return read;
}

async function readItem(
  one: object,
  origin: Origin,
  service: Service,
  room: number,
): Promise<RequestedDestination | EngineError> {
  try {
    return await resolve(toRequest(one, origin), service, room);
  } catch (error) {
    if (
      error instanceof EngineError &&
      error.code !== "too_large" &&
      !belongsToLiveRun(new Map(headersOf(one)))
    )
      return error;
    throw error;
  }
}

function readTrigger(one: object, origin: Origin, { limits }: Service): StartRun | EngineError {
  try {
    return parseTrigger(toRequest(one, origin), limits);
  } catch (error) {
    if (error instanceof EngineError) return error;
    throw error;
  }
}

/** Headers of an item: each takes as long to read as an item itself. */
const MOST_HEADERS = 1000;

/** @throws EngineError `invalid_request` that names the field */
function toRequest(one: object, { callerIp, now }: Origin): PublishRequest {
  const count = headersOf(one).length;
  if (count > MOST_HEADERS) throw invalid("headers", `expected ${MOST_HEADERS} at most, got ${count}`);
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
