import { type Duration, toWireDuration } from "../kernel/duration.ts";
import { FEATURES, forFailureCallback, forward, HEADER, PROTOCOL_VERSION } from "./headers.ts";
import type { StepRecord } from "./step.ts";

/** What is handed to the engine: it POSTs `body` to `url`, and reads its orders from `headers`. */
export interface Message {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** A limit on how many deliveries that share a key run at once, or begin within a period. At least one of the two. */
export interface FlowControl {
  /** Letters, digits, `-`, `_` and `.` */
  readonly key: string;
  /** Deliveries under way at once. */
  readonly parallelism?: number;
  /** Deliveries begun within `period`. */
  readonly rate?: number;
  /** Seconds or a duration; one second by default. */
  readonly period?: number | Duration;
}

/** Parts of a run that the engine's views show only as hashes. */
export interface Redact {
  readonly body?: true;
  /** All headers, or those of these names. */
  readonly header?: true | readonly string[];
}

/** How a run is to be delivered. The engine keeps it for all of the run's deliveries. */
export interface RunOptions {
  /** Sent with each of the run's deliveries. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Retries of each delivery, after the first attempt. The engine's default is 3. */
  readonly retries?: number;
  /** Milliseconds before a retry, as an expression over `retried`: `"1000 * pow(2, retried)"`. */
  readonly retryDelay?: string;
  readonly flowControl?: FlowControl;
  /** Seconds or a duration before the first delivery. */
  readonly delay?: number | Duration;
  /** Unix time in seconds before which the first delivery isn't made. Wins over `delay`. */
  readonly notBefore?: number;
  /** Names to find the run by: letters, digits, `-`, `_` and `.` */
  readonly label?: string | readonly string[];
  /** Where a failure of the run is sent; the workflow's own URL by default. */
  readonly failureUrl?: string;
  readonly redact?: Redact;
}

const DEFAULT_RETRIES = 3;
const JSON_TYPE = "application/json";
const NAME = /^[a-zA-Z0-9\-_.]+$/;

interface StartOf extends RunOptions {
  readonly url: string;
  readonly runId: string;
  readonly body: string | undefined;
  readonly contentType?: string | undefined;
  /** The engine has the run already: this configures it. */
  readonly configures?: boolean;
}

/**
 * Creates a run.
 *
 * @throws TypeError for an option that the engine could not obey
 */
export function startMessage(start: StartOf): Message {
  const retries = start.retries === DEFAULT_RETRIES ? undefined : start.retries;
  const labels = labelsOf(start.label);
  // What holds for the run's deliveries and for the delivery of its failure alike.
  const shared: [string, string | undefined][] = [
    [HEADER.retries, toCount("retries", retries)],
    [HEADER.retryDelay, start.retryDelay || undefined],
    ...flowControlHeaders(start.flowControl),
    ...Object.entries(start.headers ?? {})
      .filter(([name]) => name.toLowerCase() !== HEADER.contentType.toLowerCase())
      .map(([name, value]): [string, string] => [forward(name), value]),
    [forward(HEADER.label), labels],
  ];
  return {
    url: start.url,
    body: start.body,
    headers: defined([
      ...ofRun(start.runId, start.url, true),
      [HEADER.contentType, start.contentType ?? contentTypeOf(start.headers) ?? JSON_TYPE],
      [HEADER.triggerBySdk, start.configures ? "true" : undefined],
      [HEADER.label, labels],
      [HEADER.delay, start.delay === undefined ? undefined : toWireDuration(start.delay)],
      [HEADER.notBefore, toCount("notBefore", start.notBefore)],
      [HEADER.redactFields, redactFields(start.redact)],
      ...shared,
      [HEADER.failureCallback, start.failureUrl ?? start.url],
      ...[...ofFailure(start.runId, start.url), ...shared].map(
        ([name, value]): [string, string | undefined] => [forFailureCallback(name), value],
      ),
    ]),
  };
}

interface StepOf {
  readonly url: string;
  readonly runId: string;
  readonly record: StepRecord;
  readonly delay?: string | undefined;
  /** Unix time in seconds. */
  readonly notBefore?: number | undefined;
}

/** Appends a record to a run and asks for the delivery of it. */
export function stepMessage(step: StepOf): Message {
  return {
    url: step.url,
    body: JSON.stringify(step.record),
    headers: defined([
      ...ofRun(step.runId, step.url, false),
      [HEADER.contentType, JSON_TYPE],
      [HEADER.delay, step.delay],
      [HEADER.notBefore, step.notBefore?.toFixed(0)],
    ]),
  };
}

type HeaderList = [string, string | undefined][];

function ofRun(runId: string, url: string, init: boolean): HeaderList {
  return [
    [HEADER.init, String(init)],
    [HEADER.runId, runId],
    [HEADER.workflowUrl, url],
    [HEADER.featureSet, FEATURES],
    [HEADER.sdkVersion, PROTOCOL_VERSION],
    // Sent back on each delivery, where it tells a run's deliveries from everything else.
    [forward(HEADER.sdkVersion), PROTOCOL_VERSION],
  ];
}

function ofFailure(runId: string, url: string): HeaderList {
  return [
    [HEADER.init, "false"],
    [HEADER.runId, runId],
    [HEADER.workflowUrl, url],
    [HEADER.featureSet, FEATURES],
    [HEADER.callType, "failureCall"],
    [forward(HEADER.isFailure), "true"],
    [forward(HEADER.isFailureCallback), "true"],
  ];
}

function flowControlHeaders(flow: FlowControl | undefined): HeaderList {
  if (!flow) return [];
  if (!NAME.test(flow.key)) throw invalidName("flowControl.key", flow.key);
  const limits = [
    flow.parallelism === undefined ? undefined : `parallelism=${flow.parallelism}`,
    flow.rate === undefined ? undefined : `rate=${flow.rate}`,
    flow.period === undefined ? undefined : `period=${toWireDuration(flow.period)}`,
  ].filter((limit) => limit !== undefined);
  if (flow.parallelism === undefined && flow.rate === undefined) {
    throw new TypeError(`flowControl "${flow.key}" limits nothing: give it a parallelism, a rate or both.`);
  }
  return [
    [HEADER.flowControlKey, flow.key],
    [HEADER.flowControlValue, limits.join(", ")],
  ];
}

function labelsOf(label: string | readonly string[] | undefined): string | undefined {
  const labels = label === undefined ? [] : [label].flat();
  for (const one of labels) if (!NAME.test(one)) throw invalidName("label", one);
  return labels.length > 0 ? labels.join(",") : undefined;
}

function redactFields(redact: Redact | undefined): string | undefined {
  const fields: string[] = redact?.body ? ["body"] : [];
  if (redact?.header === true) fields.push("header");
  else for (const name of redact?.header ?? []) fields.push(`header[${name}]`);
  return fields.length > 0 ? fields.join(",") : undefined;
}

function contentTypeOf(headers: Readonly<Record<string, string>> = {}): string | undefined {
  return Object.entries(headers).find(
    ([name]) => name.toLowerCase() === HEADER.contentType.toLowerCase(),
  )?.[1];
}

function toCount(option: string, value: number | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (Number.isFinite(value) && value >= 0) return value.toFixed(0);
  throw new TypeError(`${option} must be a number from 0 on; got ${value}.`);
}

function invalidName(option: string, value: string): TypeError {
  return new TypeError(
    `${option} must consist of letters, digits, "-", "_" and "."; got ${JSON.stringify(value)}.`,
  );
}

function defined(headers: HeaderList): Record<string, string> {
  const present: Record<string, string> = {};
  for (const [name, value] of headers) if (value !== undefined) present[name] = value;
  return present;
}
