import { DEAD_LETTERS, LOGS, MESSAGES } from "./filters.ts";
import { json, type Operations, payload } from "./operation.ts";
import { list, object, page, ref, text, texts, whole } from "./schema.ts";

const published = { oneOf: [ref("Published"), list(ref("Published"))] };
const batch = list({ oneOf: [ref("Published"), ref("Error"), list(ref("Published"))] });
const ids = (name: string) => json(object({ [name]: texts }), false);

/** Publishing, and what becomes of messages. */
export const MESSAGE_OPERATIONS: Operations = {
  "POST /v2/publish/*": {
    summary: "Publish a message to a URL, raw in the path, or to a URL group",
    options: true,
    body: payload,
    answers: { 200: published, 202: published },
  },
  "POST /v2/enqueue/*": {
    path: "/v2/enqueue/{queueName}/{destination}",
    summary: "Put a message in a queue, which is made if there is none",
    options: true,
    body: payload,
    answers: { 200: published, 202: published },
  },
  "POST /v2/batch": {
    summary: "Publish many messages; a faulty one is answered with its error",
    body: json(list(ref("Item"))),
    answers: { 200: batch },
  },
  "GET /v2/messages/:id": {
    summary: "Get a message that is on its way",
    answers: { 200: ref("Message") },
  },
  "DELETE /v2/messages/:id": { summary: "Cancel a message", answers: { 200: ref("Cancelled") } },
  "DELETE /v2/messages": {
    summary: "Cancel the messages that match, all of them without a filter",
    query: MESSAGES,
    body: ids("messageIds"),
    answers: { 200: ref("Cancelled") },
  },
  "GET /v2/events": {
    summary: "List what became of messages",
    query: LOGS,
    answers: { 200: page("events", "Log") },
  },
  "GET /v2/logs": {
    summary: "List what became of messages",
    query: LOGS,
    answers: { 200: page("logs", "Log") },
  },
  "GET /v2/dlq": {
    summary: "List what failed for good",
    query: DEAD_LETTERS,
    answers: { 200: page("messages", "DeadLetter") },
  },
  "DELETE /v2/dlq": {
    summary: "Take out of the dead letter queue what matches",
    query: DEAD_LETTERS,
    body: ids("dlqIds"),
    answers: { 200: object({ deleted: whole }, { cursor: text }) },
  },
  "GET /v2/dlq/:id": { summary: "Get a dead letter", answers: { 200: ref("DeadLetter") } },
  "DELETE /v2/dlq/:id": {
    summary: "Take a dead letter out of the queue",
    answers: { 200: object({ deleted: whole }) },
  },
  "POST /v2/dlq/retry": {
    summary: "Publish again, as new messages, the dead letters that match",
    query: DEAD_LETTERS,
    options: true,
    answers: { 201: object({ cursor: text, responses: list(ref("Published")) }) },
  },
  "POST /v2/dlq/retry/:id": {
    summary: "Publish a dead letter again, as a new message",
    options: true,
    answers: { 201: ref("Published") },
  },
};
