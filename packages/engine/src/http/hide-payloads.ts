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

/** Replaces the bodies and the texts of errors in an answer by {@link HIDDEN}, and leaves out the headers. */
export function hidePayloads(shown: unknown): unknown {
  if (Array.isArray(shown)) return shown.map(hidePayloads);
  if (typeof shown !== "object" || shown === null) return shown;
  return Object.fromEntries(
    Object.entries(shown).map(([name, value]) => {
      if (BODIES.has(name) || (name === "error" && typeof value === "string")) return [name, HIDDEN];
      if (HEADERS.has(name)) return [name, {}];
      return [name, hidePayloads(value)];
    }),
  );
}
