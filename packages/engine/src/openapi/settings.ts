import { json, type Operation, type Operations, payload } from "./operation.ts";
import { flag, list, object, ref, text, texts, whole } from "./schema.ts";

const done = { 200: ref("Done") };

const setTopic = (summary: string, endpoint: ReturnType<typeof object>): Operation => ({
  summary,
  body: json(object({ endpoints: list(endpoint) })),
  answers: { 200: { oneOf: [ref("Topic"), ref("Done")] } },
});

const switchSchedule = (verb: "pause" | "resume"): Operation => ({
  path: `/v2/schedules/{schedule}/${verb}`,
  summary: `${verb === "pause" ? "Pause" : "Resume"} a schedule`,
  answers: done,
});

const changeFlow = (action: string, summary: string, query: Operation["query"] = {}): Operation => ({
  path: `/v2/flowControl/{key}/${action}`,
  summary,
  query,
  answers: done,
});

/** What messages are governed by. */
export const SETTING_OPERATIONS: Operations = {
  "GET /v2/keys": { summary: "Get the keys that deliveries are signed with", answers: { 200: ref("Keys") } },
  "POST /v2/keys/rotate": {
    summary: "Put the next key in the current one's place, and a new one in its own",
    answers: { 200: ref("Keys") },
  },
  "GET /v2/queues": { summary: "List queues", answers: { 200: list(ref("Queue")) } },
  "POST /v2/queues": {
    summary: "Make a queue, or change one",
    body: json(object({ queueName: text }, { parallelism: whole, paused: flag })),
    answers: done,
  },
  "GET /v2/queues/:name": { summary: "Get a queue", answers: { 200: ref("Queue") } },
  "DELETE /v2/queues/:name": { summary: "Delete a queue, and cancel what waits in it", answers: done },
  "POST /v2/queues/:name/pause": { summary: "Begin no more messages of a queue", answers: done },
  "POST /v2/queues/:name/resume": { summary: "Go on with a queue", answers: done },
  "GET /v2/schedules": { summary: "List schedules", answers: { 200: list(ref("Schedule")) } },
  "POST /v2/schedules/*": [
    {
      path: "/v2/schedules/{schedule}",
      summary:
        "Make a schedule, or replace one: the destination is raw in the path, the times are in Upstash-Cron",
      options: true,
      body: payload,
      answers: { 200: object({ scheduleId: text }) },
    },
    switchSchedule("pause"),
    switchSchedule("resume"),
  ],
  "PATCH /v2/schedules/*": [switchSchedule("pause"), switchSchedule("resume")],
  "GET /v2/schedules/*": {
    path: "/v2/schedules/{schedule}",
    summary: "Get a schedule by its id",
    answers: { 200: ref("Schedule") },
  },
  "DELETE /v2/schedules/*": {
    path: "/v2/schedules/{schedule}",
    summary: "Delete a schedule by its id",
    answers: done,
  },
  "GET /v2/topics": { summary: "List URL groups", answers: { 200: list(ref("Topic")) } },
  "GET /v2/topics/:name": { summary: "Get a URL group", answers: { 200: ref("Topic") } },
  "DELETE /v2/topics/:name": { summary: "Delete a URL group", answers: done },
  "PATCH /v2/topics/:name": {
    summary: "Say which headers count where a message to the group says nothing",
    body: json(object({ headers: { type: "object", additionalProperties: { oneOf: [text, texts] } } })),
    answers: { 200: ref("Topic") },
  },
  "POST /v2/topics/:name/endpoints": setTopic(
    "Add endpoints to a URL group, or replace them by name or URL",
    object({ url: text }, { name: { type: ["string", "null"] } }),
  ),
  "DELETE /v2/topics/:name/endpoints": setTopic(
    "Take endpoints out of a URL group, which goes with the last one",
    object({}, { url: { type: ["string", "null"] }, name: { type: ["string", "null"] } }),
  ),
  "GET /v2/flowControl": {
    summary: "List the keys of flow control",
    query: { search: text },
    answers: { 200: list(ref("FlowControl")) },
  },
  "GET /v2/flowControl/:key": { summary: "Get a key of flow control", answers: { 200: ref("FlowControl") } },
  "POST /v2/flowControl/:key/:action": [
    changeFlow("pause", "Begin no more messages with a key"),
    changeFlow("resume", "Go on with a key"),
    changeFlow("pin", "Have limits that messages don't change", {
      parallelism: whole,
      rate: whole,
      period: whole,
    }),
    changeFlow("unpin", "Let messages change limits again", { parallelism: flag, rate: flag }),
    changeFlow("resetRate", "Begin a new period now"),
    changeFlow("reset", "Begin to count anew"),
  ],
  "GET /v2/globalParallelism": {
    summary: "Get how many deliveries are under way, and may be",
    answers: { 200: ref("Parallelism") },
  },
};
