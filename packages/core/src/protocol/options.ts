import { checkCount, mustBe } from "../util/check.ts";
import { type Duration, toTimeLimit, toWireDuration, toWireTime } from "../util/duration.ts";
import * as HEADER from "./header-names.ts";
import { forward } from "./headers.ts";
import { type RetryDelayOption, toRetryDelay } from "./retry-delay.ts";

/** Headers on their way into a message; those without a value are left out of it. */
export type HeaderList = (readonly [name: string, value: string | number | boolean | undefined])[];

/** A limit on how many deliveries that share a key run at once, or begin within a period. At least one of the two. */
export type FlowControl = {
  /** Letters, digits, `-`, `_` and `.` */
  readonly key: string;
  /** In which `rate` counts: seconds or a duration; one second by default. */
  readonly period?: number | Duration;
} & (Limits<"parallelism"> | Limits<"rate"> | Limits<"ratePerSecond">);

interface AllLimits {
  /** Deliveries under way at once. */
  readonly parallelism: number;
  /** Deliveries begun within `period`. */
  readonly rate: number;
  /** The older name of `rate`. */
  readonly ratePerSecond: number;
}

type Limits<Given extends keyof AllLimits> = Pick<AllLimits, Given> & Partial<AllLimits>;

const NAME = /^[a-zA-Z0-9\-_.]+$/;

/** @throws TypeError for a key that isn't one, or when nothing is limited */
export function flowControlHeaders(flow: FlowControl | undefined): HeaderList {
  if (!flow) return [];
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

/** Several labels as one header. @throws TypeError for one that isn't a name */
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

/** How often a delivery is tried again, and after how long. @param named what errors call the two options */
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
 * When a message is delivered.
 *
 * @param exact whether the engine is known to read milliseconds
 * @throws TypeError that names the option
 */
export function timeHeaders({ delay, notBefore }: Times, exact = false): HeaderList {
  return [
    [HEADER.delay, ifDefined(delay, (value) => toWireDuration(value, "delay", exact))],
    [HEADER.notBefore, ifDefined(notBefore, (value) => toWireTime(value, "notBefore", exact))],
  ];
}

/** Both as user code gives them. */
interface Times {
  readonly delay?: number | string | undefined;
  readonly notBefore?: Date | number | string | undefined;
}

/** What a function makes of an option, where it is given. `null` is: it is no way to leave an option out. */
export function ifDefined<Value, Made>(
  value: Value | undefined,
  make: (value: Value) => Made,
): Made | undefined {
  return value === undefined ? undefined : make(value);
}

/** A user's headers, to be handed on; apart from the content type, which is the message's own. */
export function forwardedHeaders(headers: Readonly<Record<string, string>> = {}): HeaderList {
  return renameHeaders(
    Object.entries(headers).filter(([name]) => !isContentType(name)),
    forward,
  );
}

/** The same headers under other names. */
export function renameHeaders(headers: HeaderList, rename: (name: string) => string): HeaderList {
  return headers.map(([name, value]) => [rename(name), value]);
}

export function contentTypeOf<Value>(headers?: Readonly<Record<string, Value>>): Value | undefined {
  return headerIn(HEADER.contentType, headers);
}

/** The value of the header of this name, whichever way it is spelt. */
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

/** True for what may be a label, or a key of flow control. */
export function isName(value: string): boolean {
  return NAME.test(value);
}

function checkToken(option: string, value: string): void {
  if (!isName(value)) throw mustBe(option, 'letters, digits, "-", "_" and "."', value);
}
