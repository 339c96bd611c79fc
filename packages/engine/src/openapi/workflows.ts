import { DEAD_LETTERS, RUN_LOGS, RUNS } from "./filters.ts";
import { json, type Operation, type Operations, payload } from "./operation.ts";
import { flag, list, object, page, ref, text, texts, whole } from "./schema.ts";

const revived = object({ workflowRuns: list(ref("Triggered")), cursor: text });

const revive = (what: string): Operation => ({
  summary: `${what} the failed runs that match, as new ones`,
  query: DEAD_LETTERS,
  options: true,
  answers: { 200: revived },
});
const reviveOne = (what: string): Operation => ({
  summary: `${what} a failed run, as a new one`,
  options: true,
  answers: { 200: ref("Triggered") },
});

const logs: Operation = {
  summary: "List runs, with their steps",
  query: RUN_LOGS,
  answers: { 200: page("runs", "Run") },
};

const webhook: Operation = {
  path: "/v2/workflows/hooks/{userId}/{runId}/{eventId}",
  summary: "Send a run the event that a webhook of its own waits for",
  body: payload,
  answers: { 200: ref("Done") },
  open: true,
};

/** Runs, their events and their failures. */
export const WORKFLOW_OPERATIONS: Operations = {
  "POST /v2/trigger/*": {
    summary: "Start a workflow run at a URL, raw in the path",
    options: true,
    body: payload,
    answers: { 200: ref("Triggered") },
  },
  "POST /v2/batch/trigger": {
    summary: "Start many workflow runs; a faulty one is answered with its error",
    body: json(list(ref("Item"))),
    answers: { 201: list({ oneOf: [ref("Triggered"), ref("Error")] }) },
  },
  "GET /v2/workflows/runs/:id": {
    summary: "Get the history of a run that is alive, or has ended",
    query: { ended: flag, workflowCreatedAt: whole },
    answers: { 200: list(ref("Entry")) },
  },
  "DELETE /v2/workflows/runs/:id": {
    summary: "End a run: cancel it, or complete it with the body as its result",
    query: { cancel: flag },
    body: payload,
    answers: { 200: ref("Cancelled") },
  },
  "DELETE /v2/workflows/runs": {
    summary: "Cancel the runs that match",
    query: RUNS,
    body: json(object({}, { workflowRunIds: texts, workflowUrl: text }), false),
    answers: { 200: ref("Cancelled") },
  },
  "GET /v2/workflows/events": logs,
  "GET /v2/workflows/logs": logs,
  "GET /v2/workflows/dlq": {
    summary: "List the failures of runs",
    query: DEAD_LETTERS,
    answers: { 200: page("messages", "DeadLetter") },
  },
  "DELETE /v2/workflows/dlq": {
    summary: "Take failures of runs that match out of the queue",
    query: DEAD_LETTERS,
    body: json(object({ dlqIds: texts }), false),
    answers: { 200: object({ deleted: whole }, { cursor: text }) },
  },
  "GET /v2/workflows/dlq/:id": {
    summary: "Get the failure of a run",
    answers: { 200: ref("DeadLetter") },
  },
  "DELETE /v2/workflows/dlq/:id": {
    summary: "Take the failure of a run out of the queue",
    answers: { 200: object({ deleted: whole }) },
  },
  "POST /v2/workflows/dlq/resume": revive("Resume"),
  "POST /v2/workflows/dlq/resume/:id": reviveOne("Resume"),
  "POST /v2/workflows/dlq/restart": revive("Restart"),
  "POST /v2/workflows/dlq/restart/:id": reviveOne("Restart"),
  "POST /v2/workflows/dlq/rollback/:id": {
    summary: "Make the rollbacks again that failed, and nothing else",
    answers: { 200: ref("Triggered") },
  },
  "POST /v2/workflows/dlq/callback": {
    summary: "Call the failure functions again that match and have failed themselves",
    query: DEAD_LETTERS,
    answers: { 200: revived },
  },
  "POST /v2/workflows/dlq/callback/:id": {
    summary: "Call a failure function again that has failed itself",
    answers: { 200: ref("Triggered") },
  },
  "DELETE /v2/workflows/dlq/callback/:id": {
    summary: "Call a failure function no more",
    answers: { 200: ref("Cancelled") },
  },
  "POST /v2/wait/*": {
    path: "/v2/wait/{eventId}",
    summary: "Have a step of a run wait for an event",
    body: json(
      object(
        { url: text, step: { type: "object" }, timeout: text },
        {
          timeoutUrl: text,
          timeoutBody: {},
          timeoutHeaders: { type: "object", additionalProperties: texts },
        },
      ),
    ),
    answers: { 200: object({ messageId: text }, { deduplicated: flag }) },
  },
  "POST /v2/notify/*": [
    {
      path: "/v2/notify/{eventId}",
      summary: "Tell all that wait for an event that it has come, with the body as its data",
      body: payload,
      answers: { 201: list(ref("Notified")) },
    },
    {
      path: "/v2/notify/{runId}/{eventId}",
      summary: "Tell one run of an event, also before it waits for it",
      body: payload,
      answers: { 201: list(ref("Notified")) },
    },
  ],
  "GET /v2/waiters/*": {
    path: "/v2/waiters/{eventId}",
    summary: "List who waits for an event",
    answers: { 200: list(ref("Waiter")) },
  },
  "GET /v2/workflows/hooks/*": webhook,
  "POST /v2/workflows/hooks/*": webhook,
  "PUT /v2/workflows/hooks/*": webhook,
  "PATCH /v2/workflows/hooks/*": webhook,
  "DELETE /v2/workflows/hooks/*": webhook,
};
