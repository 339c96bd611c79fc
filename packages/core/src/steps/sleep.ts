import { mustBe } from "../kernel/check.ts";
import { type Duration, toWireDuration } from "../kernel/duration.ts";
import { checkName, type Step } from "./step.ts";

/** Lets the run rest for a while; nothing runs meanwhile. */
export function sleep(name: string, duration: number | Duration): Step<void> {
  checkName(name);
  return {
    name,
    type: "SleepFor",
    fields: { sleepFor: duration },
    schedule: { delay: toWireDuration(duration, `The duration of step "${name}"`) },
  };
}

/** Lets the run rest until a moment; one that has passed is no rest. */
export function sleepUntil(name: string, moment: Date | string | number): Step<void> {
  checkName(name);
  const seconds = typeof moment === "number" ? moment : Math.round(Number(new Date(moment)) / 1000);
  if (!Number.isFinite(seconds) || seconds < 0)
    throw mustBe(`The end of step "${name}"`, "a Date, a date as text, or a Unix time in seconds", moment);
  return {
    name,
    type: "SleepUntil",
    fields: { sleepUntil: seconds },
    schedule: { notBefore: seconds },
  };
}
