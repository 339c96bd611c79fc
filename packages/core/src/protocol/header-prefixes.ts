// What headers' names begin with, and what it means: for whom they are. Imported as PREFIX.

export const own = "Upstash-";
export const perdure = "Perdure-";
export const forward = "Upstash-Forward-";
export const callback = "Upstash-Callback-";
export const failureCallback = "Upstash-Failure-Callback-";
export const workflow = "Upstash-Workflow-";
export const telemetry = "Upstash-Telemetry-";
