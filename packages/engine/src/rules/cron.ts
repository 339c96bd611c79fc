import { Cron } from "croner";
import { invalid } from "./engine-error.ts";
import { messageOf } from "./thrown.ts";

/** `CRON_TZ=Area/City ` before the five fields. */
const ZONE = /^CRON_TZ=(\S+)\s+/;
/** A name of the time zone database. An offset such as `+02:00` has no daylight saving time. */
const ZONE_NAME = /^[A-Za-z][\w+-]*(?:\/[\w+-]+)*$/;
const FIELDS = 5;

/**
 * A cron expression without blanks around it.
 *
 * @param now milliseconds since 1970: an expression that never comes true after this is refused
 * @throws EngineError `invalid_request` that names the field
 */
export function toCron(text: string, field: string, now: number): string {
  const cron = text.trim();
  const { fields, zone } = split(cron);
  if (!ZONE_NAME.test(zone) || !isZone(zone)) {
    throw invalid(field, `"${zone}" is not a time zone: expected a name such as "Europe/Berlin"`);
  }
  const count = fields === "" ? 0 : fields.split(/\s+/).length;
  if (count !== FIELDS) {
    throw invalid(
      field,
      `expected ${FIELDS} fields (minute hour day month weekday), got ${count} in "${cron}"`,
    );
  }
  let next: number | undefined;
  try {
    next = nextTick(cron, now);
  } catch (cause) {
    throw invalid(field, `${messageOf(cause).replace(/^CronPattern: /, "")} in "${cron}"`, { cause });
  }
  if (next === undefined) throw invalid(field, `"${cron}" never comes true`);
  return cron;
}

/**
 * Returns the first time after `after` at which an expression comes true, in milliseconds since 1970;
 * `undefined` when it never does.
 *
 * A time of the day that a zone's clocks skip in spring comes when they have skipped it, and one that they
 * show twice in autumn comes once, the first time. An expression that repeats within the day (`*` or a step
 * in the minute or the hour) follows the clock instead: it has no ticks in the skipped hour, and ticks in
 * both hours of the repeated one.
 */
export function nextTick(cron: string, after: number): number | undefined {
  const { fields, zone } = split(cron);
  const rule = new Cron(fields, {
    mode: "5-part",
    timezone: zone,
    fixedTimeRule: "no-wildcard",
    // `5/15` is every quarter of an hour from minute 5 on.
    sloppyRanges: true,
    paused: true,
  });
  return rule.nextRun(new Date(after))?.getTime();
}

function split(cron: string): { readonly fields: string; readonly zone: string } {
  const zone = ZONE.exec(cron);
  return zone
    ? { fields: cron.slice(zone[0].length), zone: zone[1] as string }
    : { fields: cron, zone: "UTC" };
}

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
