import * as inOrder from "../store/in-order.ts";
import { createTimeSlices, type YieldPoint } from "../store/time-slices.ts";

/** Stands for a hidden body. */
export const HIDDEN = "[hidden]";

/** The fields of answers that contain bodies, or the texts of errors: an error's text may quote a payload. */
const BODIES: ReadonlySet<string> = new Set([
  "body",
  "bodyBase64",
  "callBody",
  "callResponseBody",
  "cause",
  "failResponse",
  "invokedWorkflowRunBody",
  "message",
  "out",
  "payload",
  "payloadBase64",
  "responseBody",
  "responseBodyBase64",
  "stack",
  "timeoutBody",
  "workflowRunResponse",
]);

/** The fields of answers that contain headers by their names. */
const HEADERS: ReadonlySet<string> = new Set([
  "callHeaders",
  "callResponseHeaders",
  "callbackHeader",
  "callbackHeaders",
  "failHeaders",
  "failureCallbackHeader",
  "failureCallbackHeaders",
  "header",
  "headers",
  "invokedWorkflowRunHeaders",
  "payloadHeaders",
  "responseHeader",
  "responseHeaders",
  "timeoutHeaders",
]);

/**
 * Replaces the bodies and the texts of errors in an answer by {@link HIDDEN}, and leaves out the headers.
 *
 * @param pause lets other requests run between the parts of a large answer
 */
export async function hidePayloads(shown: unknown, pause: YieldPoint = createTimeSlices()): Promise<unknown> {
  if (typeof shown !== "object" || shown === null) return shown;
  await pause();
  if (Array.isArray(shown)) return inOrder.map(shown, (item) => hidePayloads(item, pause));
  const fields: [string, unknown][] = [];
  for (const [name, value] of Object.entries(shown)) {
    if (BODIES.has(name) || (name === "error" && typeof value === "string")) fields.push([name, HIDDEN]);
    else if (HEADERS.has(name)) fields.push([name, {}]);
    else fields.push([name, await hidePayloads(value, pause)]);
  }
  return Object.fromEntries(fields);
}
