import { z } from "zod";
import { type FlowChange, type FlowControl, toPin } from "../rules/flow-control.ts";
import { GLOBAL_KEY, toShownKey } from "../rules/global-flow.ts";
import { NAME } from "../rules/name.ts";
import { mapInSlices } from "../store/time-slices.ts";
import { flag, named, positive, text } from "./parameters.ts";
import { type Output, type Parameter, type Routes, route } from "./route.ts";
import { done, seconds, unixTime } from "./schemas.ts";
import type { Service } from "./service.ts";

const flowControl = z
  .object({
    flowControlKey: z.string(),
    waitListSize: z.int(),
    parallelismMax: z.int(),
    parallelismCount: z.int(),
    rateMax: z.int(),
    rateCount: z.int(),
    ratePeriod: seconds,
    ratePeriodStart: unixTime,
    isPaused: z.boolean(),
    isPinnedParallelism: z.boolean(),
    isPinnedRate: z.boolean(),
  })
  .meta({ id: "FlowControl", description: "Every number is there: 0 for what isn't limited." });

const shown: Parameter<string> = {
  schema: { type: "string", ...NAME, pattern: `^\\${GLOBAL_KEY}$|${NAME.pattern}` },
  read: ([key = ""]) => toShownKey(key, "flow control key"),
};
const params = { key: named("flow control key") };
const changed = { params, answers: { 200: done } };

export const flows = {
  "/v2/flowControl": {
    GET: route({
      summary: "List the keys of flow control",
      query: { search: text },
      answers: { 200: z.array(flowControl) },
      handle: async ({ query: { search } }, service) => mapInSlices(await service.flows.list(search), toView),
    }),
  },
  "/v2/flowControl/:key": {
    GET: route({
      summary: "Get a key of flow control",
      params: { key: shown },
      answers: { 200: flowControl },
      handle: async ({ params: { key } }, service) => toView(await service.flows.get(key)),
    }),
  },
  "/v2/flowControl/:key/pause": {
    POST: route({
      ...changed,
      summary: "Begin no more messages with a key",
      handle: (input, service) => change(input, { kind: "pause" }, service),
    }),
  },
  "/v2/flowControl/:key/resume": {
    POST: route({
      ...changed,
      summary: "Go on with a key",
      handle: (input, service) => change(input, { kind: "resume" }, service),
    }),
  },
  "/v2/flowControl/:key/pin": {
    POST: route({
      ...changed,
      summary: "Have limits that messages don't change",
      query: { parallelism: positive, rate: positive, period: positive },
      handle: (input, service) => change(input, { kind: "pin", ...toPin(input.query) }, service),
    }),
  },
  "/v2/flowControl/:key/unpin": {
    POST: route({
      ...changed,
      summary: "Let messages change limits again",
      query: { parallelism: flag, rate: flag },
      handle(input, service) {
        const { parallelism = false, rate = false } = input.query;
        return change(input, { kind: "unpin", parallelism, rate }, service);
      },
    }),
  },
  // Only the count of the rate can be reset. The other count is the number of deliveries in progress.
  "/v2/flowControl/:key/resetRate": {
    POST: route({
      ...changed,
      summary: "Begin a new period now",
      handle: (input, service) => change(input, { kind: "reset" }, service),
    }),
  },
  "/v2/flowControl/:key/reset": {
    POST: route({
      ...changed,
      summary: "Begin to count anew",
      handle: (input, service) => change(input, { kind: "reset" }, service),
    }),
  },
  "/v2/globalParallelism": {
    GET: route({
      summary: "Get how many deliveries are under way, and may be",
      answers: {
        200: z.object({ parallelismMax: z.int(), parallelismCount: z.int() }).meta({ id: "Parallelism" }),
      },
      handle(_, { parallelism }) {
        const { max, count } = parallelism();
        return { parallelismMax: max, parallelismCount: count };
      },
    }),
  },
} satisfies Routes;

async function change(
  { params: { key } }: { readonly params: { readonly key: string } },
  what: FlowChange,
  { store }: Service,
): Promise<Output<typeof done>> {
  await store.changeFlow(key, what);
  return {};
}

function toView(flow: FlowControl): Output<typeof flowControl> {
  const { rate, period, beganAt } = flow;
  return {
    flowControlKey: flow.key,
    waitListSize: flow.waiting,
    parallelismMax: flow.parallelism ?? 0,
    parallelismCount: flow.active,
    rateMax: rate ?? 0,
    rateCount: flow.begun,
    ratePeriod: rate === undefined ? 0 : period / 1000,
    ratePeriodStart: Math.floor(beganAt / 1000),
    isPaused: flow.paused,
    isPinnedParallelism: flow.pinnedParallelism,
    isPinnedRate: flow.pinnedRate,
  };
}
