import { z } from "zod";
import { ID } from "../rules/field.ts";

// Zod must not generate code at run time: some environments forbid it.
z.config({ jitless: true });

/** Milliseconds since 1970. */
export const time = z.int().meta({ description: "Milliseconds since 1970." });
export const unixTime = z.int().meta({ description: "Unix time in seconds." });
export const seconds = z.int().meta({ description: "Seconds." });
export const base64 = z.string().meta({ contentEncoding: "base64" });
/** The values of headers by name, in Train-Case. */
export const headers = z.record(z.string(), z.array(z.string()));

/** An id in a request. */
export const id = z
  .string()
  .max(ID.maxLength, `expected up to ${ID.maxLength} characters`)
  .regex(new RegExp(ID.pattern, "u"), "it contains control characters");

/** An error's body. */
export const error = z
  .object({ error: z.string().meta({ description: "What is wrong, and with which field." }) })
  .meta({ id: "Error" });

/** An answer without content. */
export const done = z.object({}).meta({ id: "Done", description: "Nothing more to say." });

export const cancelled = z.object({ cancelled: z.int() }).meta({ id: "Cancelled" });

/** All labels, and the first label in a separate field. */
export const labels = { label: z.string().optional(), labels: z.array(z.string()).optional() };

/** A message's flow control. */
export const flow = {
  flowControlKey: z.string().optional(),
  parallelism: z.int().optional(),
  rate: z.int().optional(),
  period: seconds.optional(),
};

export const body = { body: z.string().optional(), bodyBase64: base64.optional() };
export const responseBody = {
  responseBody: z.string().optional(),
  responseBodyBase64: base64.optional(),
};

export const message = z
  .object({
    messageId: z.string(),
    url: z.string(),
    method: z.string(),
    header: headers,
    ...body,
    maxRetries: z.int(),
    notBefore: time,
    createdAt: time,
    callerIP: z.string(),
    callerIp: z.string().meta({ description: "The same: clients disagree." }),
    topicName: z.string().optional(),
    endpointName: z.string().optional(),
    retryDelayExpression: z.string().optional(),
    ...labels,
    ...flow,
    queueName: z.string().optional(),
    scheduleId: z.string().optional(),
    callback: z.string().optional(),
    callbackHeader: headers.optional(),
    failureCallback: z.string().optional(),
    failureCallbackHeader: headers.optional(),
    workflowRunId: z.string().optional(),
    workflowCreatedAt: time.optional(),
    workflowUrl: z.string().optional(),
  })
  .meta({ id: "Message" });

/** The answer for a published message. */
export const published = z
  .object({
    messageId: z.string(),
    url: z.string(),
    deduplicated: z.boolean().optional(),
    workflowRunId: z.string().optional(),
    workflowCreatedAt: time.optional(),
  })
  .meta({ id: "Published" });

/** The answer for a created schedule. */
export const scheduled = z.object({ scheduleId: z.string() }).meta({ id: "Scheduled" });

/** The answer for a triggered run. */
export const triggered = z
  .object({ workflowRunId: z.string(), workflowCreatedAt: time, deduplicated: z.boolean().optional() })
  .meta({ id: "Triggered" });

/** The id and the creation time of the new run that continues or repeats a failed run. */
export const resumedRun = z
  .object({ workflowRunId: z.string(), workflowCreatedAt: time })
  .meta({ id: "Revived" });

/** The state of a report. */
export const callbackState = z.enum([
  "CALLBACK_INPROGRESS",
  "CALLBACK_SUCCESS",
  "CALLBACK_FAIL",
  "CALLBACK_CANCELED",
]);

/** An error in the form in which endpoints report it. */
const errorBody = z.object({
  error: z.string(),
  message: z.string(),
  stack: z.string().optional(),
  cause: z.unknown().optional(),
  where: z.string().optional(),
  step: z
    .object({ id: z.int(), name: z.string(), type: z.string(), rollback: z.boolean().optional() })
    .optional(),
});

/** The rollbacks of a run's steps, in the order in which they ran. */
export const rollbacks = z
  .array(
    z.object({
      stepId: z.int(),
      stepName: z.string(),
      stepType: z.string(),
      state: z.enum(["done", "failed"]),
      attempts: z.int(),
      error: errorBody.optional(),
      time: time.optional().meta({ description: "When the rollback was recorded." }),
    }),
  )
  .optional();

/** The cursor of a list's next page; absent on the last page. */
export const cursor = { cursor: z.string().optional() };
