/** The kinds of step, one file each. A context offers every one of them as a method. */
export { run } from "./run.ts";
export { sleep, sleepUntil } from "./sleep.ts";
export { deserialize, type Schedule, type Step, serialize } from "./step.ts";
