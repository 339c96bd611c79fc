import { type Duration, toMilliseconds, toUnixTime } from "../util/duration.ts";
import type { Step } from "./step.ts";

/** Pauses the run for a duration; no process runs meanwhile. */
export function sleep(name: string, duration: number | Duration): Step<void> {
  toMilliseconds(duration, "The duration");
  return { name, type: "SleepFor", fields: { sleepFor: duration }, schedule: { delay: duration } };
}

/** Pauses the run until a time; doesn't pause for a time in the past. */
export function sleepUntil(name: string, moment: Date | string | number): Step<void> {
  const seconds = toUnixTime(moment, "The end");
  return { name, type: "SleepUntil", fields: { sleepUntil: seconds }, schedule: { notBefore: seconds } };
}
