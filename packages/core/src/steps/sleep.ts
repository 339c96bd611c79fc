import { type Duration, toMilliseconds, toUnixTime } from "../util/duration.ts";
import type { Step } from "./step.ts";

/** Lets the run rest for a while; nothing runs meanwhile. */
export function sleep(name: string, duration: number | Duration): Step<void> {
  toMilliseconds(duration, "The duration");
  return { name, type: "SleepFor", fields: { sleepFor: duration }, schedule: { delay: duration } };
}

/** Lets the run rest until a moment; one that has passed is no rest. */
export function sleepUntil(name: string, moment: Date | string | number): Step<void> {
  const seconds = toUnixTime(moment, "The end");
  return { name, type: "SleepUntil", fields: { sleepUntil: seconds }, schedule: { notBefore: seconds } };
}
