import {
  forCallback,
  forFailureCallback,
  HEADER,
  type MessageOptions,
  messageHeaders,
  mustBe,
  PREFIX,
  type RunOptions,
  startMessage,
  toRunId,
} from "@perdure/core/protocol";
import { LOCAL } from "../http/serve.ts";
import type { Service } from "../http/service.ts";
import { checkOptions } from "../rules/check-options.ts";
import { checkDestination } from "../rules/destination.ts";
import type { PublishRequest } from "../rules/new-message.ts";
import { checkUrlGroupName } from "../rules/url-group.ts";
import { checkRedact, lowerCase } from "./changed-options.ts";
import { toContent } from "./content.ts";

/** The destination of reports on a message's attempts or final failure, with options for their delivery. */
export interface ReportOptions extends MessageOptions {
  /** The URL that gets the report. */
  readonly url: string;
}

/** A message to publish, without its destination. */
export interface Publication extends MessageOptions {
  /** The body: a string or a `Uint8Array` is sent as it is, everything else as JSON. */
  readonly body?: unknown;
  /** The engine delivers no second message with the same id within `retention.deduplication`. */
  readonly deduplicationId?: string;
  /** True to deliver no second message with the same content within that time either. */
  readonly contentBasedDeduplication?: boolean;
  /** The destination of reports on each attempt. */
  readonly callback?: string | ReportOptions;
  /** The destination of the report on a final failure. */
  readonly failureCallback?: string | ReportOptions;
}

/** A message to publish to a URL. */
export interface PublishToUrl extends Publication {
  /** The URL that gets the message. */
  readonly url: string;
  /** A message has a URL or a URL group, not both. */
  readonly urlGroup?: never;
}

/** A message to publish to each endpoint of a URL group. */
export interface PublishToGroup extends Publication {
  /** Name of the URL group. */
  readonly urlGroup: string;
  /** A message has a URL or a URL group, not both. */
  readonly url?: never;
}

/** A message to publish. */
export type PublishOptions = PublishToUrl | PublishToGroup;

/** A message to put in a queue. The engine creates the queue if it doesn't exist. */
export type EnqueueOptions = PublishOptions & {
  /** Name of the queue. */
  readonly queue: string;
};

/** A message to publish at the times of a cron expression. */
export type ScheduleOptions = PublishOptions & {
  /** A cron expression with five fields, in UTC or after a time zone: `CRON_TZ=Europe/Berlin 0 9 * * *`. */
  readonly cron: string;
  /** The id of the schedule, which replaces a schedule with the same id. A random id by default. */
  readonly scheduleId?: string;
  /** The queue that the messages go through. */
  readonly queue?: string;
};

/** A workflow run to start. */
export interface TriggerOptions extends RunOptions {
  /** The workflow's endpoint. */
  readonly url: string;
  /** The payload: a string is sent as it is, everything else as JSON. */
  readonly body?: unknown;
  /**
   * A name for the run: its id is `wfr_` and this name. While a run with this id is live, the engine starts
   * no second run.
   */
  readonly workflowRunId?: string;
}

/** The engine's clock, and its limit for a request. */
type Context = Pick<Service, "clock"> & { readonly limits: Pick<Service["limits"], "requestBytes"> };

const MESSAGE = "method headers retries retryDelay flowControl timeout delay notBefore label redact";

/** @throws TypeError that names an unknown or invalid option */
export function toRequest(
  owner: string,
  options: PublishOptions & Partial<Pick<ScheduleOptions, "cron" | "scheduleId" | "queue">>,
  { clock, limits }: Context,
): PublishRequest {
  checkNames(owner, options, `${PUBLICATION} url urlGroup queue cron scheduleId`);
  const content = toContent(options.body, limits);
  const headers = {
    ...(content.type === undefined ? {} : { [HEADER.contentType]: content.type }),
    ...messageHeaders(options),
    ...reportHeaders("callback", options.callback, HEADER.callback, forCallback),
    ...reportHeaders("failureCallback", options.failureCallback, HEADER.failureCallback, forFailureCallback),
    ...textHeaders(options),
  };
  return {
    destination: toDestination(owner, options),
    headers: lowerCase(headers),
    body: content.bytes,
    callerIp: LOCAL,
    now: clock.now(),
  };
}

/**
 * Makes the request that starts a run, like the client of `@perdure/core`.
 *
 * @throws TypeError that names an unknown or invalid option
 */
export function toStart(options: TriggerOptions, { clock, limits }: Context): PublishRequest {
  checkNames("trigger", options, TRIGGER);
  const { url, workflowRunId, body } = options;
  const content = toContent(body, limits);
  const runId = toRunId(workflowRunId);
  const start = startMessage({ ...options, url, runId, body: undefined });
  const destination = toDestination("trigger", { url });
  return {
    destination,
    headers: lowerCase(start.headers),
    body: content.bytes,
    callerIp: LOCAL,
    now: clock.now(),
  };
}

const PUBLICATION = `${MESSAGE} body deduplicationId contentBasedDeduplication callback failureCallback`;
const TRIGGER =
  "url body workflowRunId headers retries retryDelay flowControl delay notBefore failureRetries failureRetryDelay timeout label failureUrl redact";

function checkNames(owner: string, options: object, names: string): void {
  checkOptions<Record<string, unknown>, string>(owner, options as Record<string, unknown>, names);
  checkRedact((options as MessageOptions).redact);
}

/**
 * @throws EngineError for a URL without a scheme, which would be a group's name, and for a group's name that
 * is a URL
 */
function toDestination(owner: string, { url, urlGroup }: PublishTarget): string {
  if ((url === undefined) === (urlGroup === undefined) || typeof (url ?? urlGroup) !== "string")
    throw new TypeError(`${owner} needs a url or a urlGroup that is a string, and not both.`);
  if (urlGroup !== undefined) return checkUrlGroupName(String(urlGroup), "urlGroup");
  return checkDestination(String(url));
}

interface PublishTarget {
  readonly url?: unknown;
  readonly urlGroup?: unknown;
}

function reportHeaders(
  name: string,
  report: string | ReportOptions | undefined,
  header: string,
  rename: (name: string) => string,
): Record<string, string> {
  if (report === undefined) return {};
  if (typeof report === "string") return { [header]: report };
  checkNames(name, report, `${MESSAGE} url`);
  const own = Object.entries(messageHeaders(report)).filter(([one]) => one.startsWith(PREFIX.own));
  const renamed = own.map(([one, value]) => [rename(one), value] as const);
  return { ...Object.fromEntries(renamed), [header]: toDestination(name, { url: report.url }) };
}

/** The headers of the options that are texts and flags. @throws TypeError that names the option */
function textHeaders(options: Partial<Record<keyof typeof TEXTS, unknown>>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, [header, type]] of Object.entries(TEXTS)) {
    const value = options[name as keyof typeof TEXTS];
    if (value === undefined) continue;
    if (typeof value !== type) throw mustBe(name, `a ${type}`, value);
    headers[header] = String(value);
  }
  return headers;
}

const TEXTS = {
  deduplicationId: [HEADER.deduplicationId, "string"],
  contentBasedDeduplication: [HEADER.contentBasedDeduplication, "boolean"],
  queue: [HEADER.queueName, "string"],
  cron: [HEADER.cron, "string"],
  scheduleId: [HEADER.scheduleId, "string"],
} as const;
