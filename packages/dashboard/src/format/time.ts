import { signal } from "@preact/signals";

/** The time in milliseconds since 1970; moves every second while the page is visible. */
export const now = signal(Date.now());

setInterval(() => {
  if (!document.hidden) now.value = Date.now();
}, 1000);

/** Formats a duration in two units at most: `12 ms`, `3.2 s`, `4 min 10 s`, `2 d 3 h`. */
export function duration(ms: number): string {
  const value = Math.max(0, ms);
  if (value < 1) return value === 0 ? "0 ms" : `${value.toFixed(1)} ms`;
  if (value < 1000) return `${Math.round(value)} ms`;
  if (value < 10_000) return `${trim((value / 1000).toFixed(1))} s`;
  if (value < 60_000) return `${Math.round(value / 1000)} s`;
  if (value < 3_600_000) return inUnits(value, MINUTE, SECOND);
  if (value < 86_400_000) return inUnits(value, HOUR, MINUTE);
  return inUnits(value, DAYS, HOUR);
}

interface Unit {
  readonly ms: number;
  readonly name: string;
}

const SECOND: Unit = { ms: 1000, name: "s" };
const MINUTE: Unit = { ms: 60_000, name: "min" };
const HOUR: Unit = { ms: 3_600_000, name: "h" };
const DAYS: Unit = { ms: 86_400_000, name: "d" };

function inUnits(ms: number, big: Unit, small: Unit): string {
  const whole = Math.floor(ms / big.ms);
  const rest = Math.floor((ms - whole * big.ms) / small.ms);
  return rest === 0 ? `${whole} ${big.name}` : `${whole} ${big.name} ${rest} ${small.name}`;
}

function trim(text: string): string {
  return text.replace(/\.0$/, "");
}

/** Formats the distance of a time from now: `3 min ago`, `in 1 d 23 h`, `now`. */
export function relative(time: number, at: number): string {
  const distance = Math.abs(time - at);
  if (distance < 1000) return "now";
  if (time > at && distance >= HOUR.ms) return `in ${duration(distance)}`;
  const { ms, name } = UNITS.find((unit) => distance >= unit.ms) ?? SECOND;
  const text = `${Math.floor(distance / ms)} ${name}`;
  return time > at ? `in ${text}` : `${text} ago`;
}

const UNITS: readonly Unit[] = [DAYS, HOUR, MINUTE, SECOND];

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const FULL = new Intl.DateTimeFormat("en-GB", {
  weekday: "short",
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  timeZoneName: "short",
});

/** Formats the local time of day, with milliseconds if asked for. */
export function clock(time: number, millis = false): string {
  const text = CLOCK.format(time);
  return millis ? `${text}.${String(Math.floor(time) % 1000).padStart(3, "0")}` : text;
}

/** Formats the local time of day, with the date unless it is today's. */
export function moment(time: number, at: number): string {
  return new Date(time).toDateString() === new Date(at).toDateString()
    ? clock(time)
    : `${DAY.format(time)}, ${clock(time)}`;
}

/** Formats a time in full, for a title. */
export function fullTime(time: number): string {
  return `${FULL.format(time)}\n${new Date(time).toISOString()}`;
}
