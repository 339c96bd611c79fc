import {
  checkOptions,
  forCallback,
  forFailureCallback,
  HEADER,
  type MessageOptions,
  messageHeaders,
  PREFIX,
  type RunOptions,
  startMessage,
  toRunId,
} from "@perdure/core/protocol";
import { LOCAL } from "../http/serve.ts";
import type { Service } from "../http/service.ts";
import { checkDestination } from "../rules/destination.ts";
import type { PublishRequest } from "../rules/new-message.ts";
import { checkUrlGroupName } from "../rules/url-group.ts";
import { lowerCase } from "./changed-options.ts";
import { toContent } from "./content.ts";

/** Where a message's attempts, or its final failure, are reported, and how that report is delivered. */
export interface ReportOptions extends MessageOptions {
  /** Where the report goes. */
  readonly url: string;
}

/** A message to publish, without its destination. */
export interface Publication extends MessageOptions {
  /** The body: a string or a `Uint8Array` is sent as it is, everything else as JSON. */
  readonly body?: unknown;
  /** A message with the same id isn't delivered again within `retention.deduplication`. */
  readonly deduplicationId?: string;
  /** Whether a message with the same content isn't delivered again either. */
  readonly contentBasedDeduplication?: boolean;
  /** Where each attempt is reported. */
  readonly callback?: string | ReportOptions;
  /** Where a final failure is reported. */
  readonly failureCallback?: string | ReportOptions;
}

/** A message to publish to a URL. */
export interface PublishToUrl extends Publication {
  /** Where the message goes. */
  readonly url: string;
  /** A message goes to a URL or to a URL group. */
  readonly urlGroup?: never;
}

/** A message to publish to each endpoint of a URL group. */
export interface PublishToGroup extends Publication {
  /** Name of the URL group. */
  readonly urlGroup: string;
  /** A message goes to a URL or to a URL group. */
  readonly url?: never;
}

/** A message to publish. */
export type PublishOptions = PublishToUrl | PublishToGroup;

/** A message to put in a queue, which is made if there is none. */
export type EnqueueOptions = PublishOptions & {
  /** Name of the queue. */
  readonly queue: string;
};

/** A message to publish at the times of a cron expression. */
export type ScheduleOptions = PublishOptions & {
  /** Five fields, in UTC or behind a time zone: `CRON_TZ=Europe/Berlin 0 9 * * *`. */
  readonly cron: string;
  /** A schedule with the same id is replaced. A random one by default. */
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
  /** A name for the run: its id is `wfr_` and this name. While a run with this id is live, no second one starts. */
  readonly workflowRunId?: string;
}

/** The time of the engine, and its limit for a request. */
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
    ...textHeaders({
      [HEADER.deduplicationId]: options.deduplicationId,
      [HEADER.contentBasedDeduplication]: options.contentBasedDeduplication,
      [HEADER.queueName]: options.queue,
      [HEADER.cron]: options.cron,
      [HEADER.scheduleId]: options.scheduleId,
    }),
  };
  return {
    destination: toDestination(owner, options),
    headers: lowerCase(headers),
    body: content.bytes,
    callerIp: LOCAL,
    now: clock.now(),
  };
}

/** The start of a run, as the client of `@perdure/core` makes it. @throws TypeError that names an unknown or invalid option */
export function toStart(options: TriggerOptions, { clock, limits }: Context): PublishRequest {
  const { url, workflowRunId, body } = options;
  checkNames("trigger", options, TRIGGER);
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
}

/** @throws EngineError for a URL without a scheme, which is a group's name, and the other way round */
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

function textHeaders(values: Readonly<Record<string, string | boolean | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );
}
