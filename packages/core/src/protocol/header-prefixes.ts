// Prefixes of header names, which say for whom a header is. Imported as PREFIX.

export const own = "Upstash-";
export const forward = "Upstash-Forward-";
export const callback = "Upstash-Callback-";
export const failureCallback = "Upstash-Failure-Callback-";
export const workflow = "Upstash-Workflow-";
export const telemetry = "Upstash-Telemetry-";
