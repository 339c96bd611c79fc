import { checkCount, mustBe } from "../util/check.ts";
import { type Duration, toTimeLimit, toWireDuration, toWireTime } from "../util/duration.ts";
import { checkOptions } from "../util/options.ts";
import * as HEADER from "./header-names.ts";
import { forward } from "./headers.ts";
import { type RetryDelayOption, toRetryDelay } from "./retry-delay.ts";

/** Headers for a message, which omits headers without a value. */
export type HeaderList = (readonly [name: string, value: string | number | boolean | undefined])[];

/** Limits how many deliveries with the same key run at once, or begin within a period. It needs at least one limit. */
export type FlowControl = {
  /** Letters, digits, `-`, `_` and `.` */
  readonly key: string;
  /** The period of `rate`: seconds or a duration. Default: one second. */
  readonly period?: number | Duration;
} & (Limits<"parallelism"> | Limits<"rate"> | Limits<"ratePerSecond">);

interface AllLimits {
  /** The most deliveries that run at once. */
  readonly parallelism: number;
  /** The most deliveries that begin within `period`. */
  readonly rate: number;
  /** The older name of `rate`. */
  readonly ratePerSecond: number;
}

type Limits<Given extends keyof AllLimits> = Pick<AllLimits, Given> & Partial<AllLimits>;

const NAME = /^[a-zA-Z0-9\-_.]+$/;

/** @throws TypeError for an invalid key, or without a limit */
export function flowControlHeaders(flow: FlowControl | undefined): HeaderList {
  if (!flow) return [];
  checkOptions("flowControl", flow, "key parallelism rate ratePerSecond period");
  checkToken("flowControl.key", flow.key);
  const { parallelism, ratePerSecond, rate = ratePerSecond, period } = flow;
  if (parallelism === undefined && rate === undefined) {
    throw new TypeError(`flowControl "${flow.key}" needs a parallelism or a rate.`);
  }
  checkCount("flowControl.parallelism", parallelism);
  checkCount("flowControl.rate", rate);
  const limits = definedHeaders([
    ["parallelism", parallelism],
    ["rate", rate],
    ["period", toLimit("flowControl.period", period)],
  ]);
  const value = Object.entries(limits).map((limit) => limit.join("="));
  return [
    [HEADER.flowControlKey, flow.key],
    [HEADER.flowControlValue, value.join(", ")],
  ];
}

/** Joins labels to one header. @throws TypeError for an invalid label */
export function joinLabels(label: string | readonly string[] | undefined): string | undefined {
  const labels = [label ?? []].flat();
  for (const one of labels) checkToken("label", one);
  return labels.join(",") || undefined;
}

/** A time limit as the wire has it. @throws TypeError that names the option, also for 0 */
export function toLimit(option: string, value: unknown, exact?: boolean): string | undefined {
  if (value === undefined) return undefined;
  toTimeLimit(value, option);
  return toWireDuration(value, option, exact);
}

/** Headers with a delivery's retries. @param named returns an option's name for errors */
export function retryHeaders(
  retries: number | undefined,
  retryDelay: RetryDelayOption | undefined,
  named: (option: "retries" | "retryDelay") => string = (option) => option,
): HeaderList {
  checkCount(named("retries"), retries);
  return [
    [HEADER.retries, retries],
    [HEADER.retryDelay, toRetryDelay(retryDelay, named("retryDelay"))],
  ];
}

/**
 * Headers with the time of a message's delivery.
 *
 * @param exact true when the engine reads milliseconds
 * @throws TypeError that names the option
 */
export function timeHeaders({ delay, notBefore }: Times, exact = false): HeaderList {
  return [
    [HEADER.delay, ifDefined(delay, (value) => toWireDuration(value, "delay", exact))],
    [HEADER.notBefore, ifDefined(notBefore, (value) => toWireTime(value, "notBefore", exact))],
  ];
}

/** Times from user code. */
interface Times {
  readonly delay?: number | string | undefined;
  readonly notBefore?: Date | number | string | undefined;
}

/** Applies a function to an option unless it is undefined. `null` is passed on, because it doesn't omit an option. */
export function ifDefined<Value, Made>(
  value: Value | undefined,
  make: (value: Value) => Made,
): Made | undefined {
  return value === undefined ? undefined : make(value);
}

/** A user's headers, with the prefix that makes the engine forward them; without the content type, which is the message's. */
export function forwardedHeaders(headers: Readonly<Record<string, string>> = {}): HeaderList {
  return renameHeaders(
    Object.entries(headers).filter(([name]) => !isContentType(name)),
    forward,
  );
}

/** Renames headers. */
export function renameHeaders(headers: HeaderList, rename: (name: string) => string): HeaderList {
  return headers.map(([name, value]) => [rename(name), value]);
}

export function contentTypeOf<Value>(headers?: Readonly<Record<string, Value>>): Value | undefined {
  return headerIn(HEADER.contentType, headers);
}

/** Returns the value of a header, whose name may have any case. */
export function headerIn<Value>(
  name: string,
  headers: Readonly<Record<string, Value>> = {},
): Value | undefined {
  return Object.entries(headers).find(([one]) => isSameName(one, name))?.[1];
}

export function definedHeaders(headers: HeaderList): Record<string, string> {
  const present: Record<string, string> = {};
  for (const [name, value] of headers) if (value !== undefined) present[name] = String(value);
  return present;
}

export function isContentType(name: string): boolean {
  return isSameName(name, HEADER.contentType);
}

function isSameName(name: string, other: string): boolean {
  return name.toLowerCase() === other.toLowerCase();
}

/** True for a valid label, or key of flow control. */
export function isName(value: string): boolean {
  return NAME.test(value);
}

function checkToken(option: string, value: string): void {
  if (!isName(value)) throw mustBe(option, 'letters, digits, "-", "_" and "."', value);
}
