import { parseDuration } from "@perdure/core/protocol";
import { checkOptions } from "./check-options.ts";

/**
 * Every number, flag and name that an engine can be configured with: the source of the types of the library, of
 * the file, the environment and the `--set` of `perdure start`, of the checks and their errors, and of the table
 * in `docs/engine-library.md`. To add an option, add it here, use it, and add its row to the guide, which a test
 * compares with this table.
 *
 * The comment of an option is its description in the guide. `is` is its {@link Range}. A `default` is a number,
 * a duration or a size; without it, `otherwise` describes the behaviour. `see` is the page of the guide with
 * more about the option. The engines of a database may differ in an option that is `perEngine`; they warn if they differ in
 * another one.
 */
export const ENGINE_OPTIONS = {
  /** Deliveries in progress at once. */
  concurrency: { is: "count", default: 4096, see: "overload.md", perEngine: true },
  /** Calls to third parties in progress at once, beside the deliveries. */
  calls: { is: "count or none", default: 4096, see: "call.md", perEngine: true },
  /** Region that deliveries name, such as `EU-CENTRAL-1`: receivers with keys for several regions choose theirs by it. */
  region: { is: "name", otherwise: "none", perEngine: true },
  /** Whether `X-Forwarded-Proto` and `X-Forwarded-Host` say under which address a webhook was called: only behind a proxy that sets them. */
  trustProxy: { is: "flag", default: false, perEngine: true },
  /** Whether read-only tokens see `[hidden]` in place of payloads, results, bodies, headers and the texts of errors. */
  hidePayloads: { is: "flag", default: false, see: "api.md#tokens" },
  /** Whether the engine indexes the words of payloads, step names, results and errors, so that lists of runs can search them. */
  search: { is: "flag", default: true, see: "api.md#search" },
  timeouts: {
    /** Time for an attempt to deliver to a run, unless the run sets a timeout. */
    delivery: { is: "time", default: "15m" },
    /** Time for an attempt to deliver a message that belongs to no run, unless the message sets a timeout; never more than `timeouts.delivery` by default. */
    message: { is: "time", default: "5m" },
    /** Time after which another engine repeats the delivery of an engine that has died. */
    lease: { is: "time", default: "30s", perEngine: true },
    /** Time for name servers to answer when the engine looks up a destination's host name. */
    lookup: { is: "time", default: "4s", perEngine: true },
    /** Time for a list, a search or a count; the engine answers one that takes longer with 503. */
    query: { is: "time", default: "10s", see: "api.md#slow-lists", perEngine: true },
  },
  limits: {
    /** Bytes of a request to the API. */
    requestBytes: { is: "count", default: "10 MiB" },
    /** Bytes of the bodies of all API requests in memory at once; the engine answers further requests with 503. */
    inFlightBytes: { is: "count", default: "256 MiB", see: "overload.md", perEngine: true },
    /** Bytes of a request to a webhook. */
    webhookBytes: { is: "count or none", default: "1 MiB", see: "events.md#webhooks" },
    /** Requests that the engine keeps for a webhook until its run waits for them; it answers further requests with 429. */
    webhookHits: { is: "count or none", default: 100 },
    /** Bytes of the requests that the engine keeps for a webhook, as it stores them. */
    webhookHitBytes: { is: "count or none", default: "10 MiB" },
    /** Items of a batch, and messages that a batch becomes where items go to URL groups. A group of parallel steps is one batch. */
    batchItems: { is: "count", default: 1000 },
    /** Bytes that the engine keeps of an endpoint's answer. */
    responseBytes: { is: "count or none", default: "1 MiB" },
    /** Bytes of a third party's answer to a `call`; a larger answer is a failed attempt. */
    callBytes: { is: "count or none", default: "10 MiB" },
    /** Bytes of a history above which the endpoint fetches it instead of getting it with each delivery. */
    historyBytes: { is: "count or none", default: "4 MiB" },
    /** Retries that a message may ask for. */
    retries: { is: "count or none", default: 999 },
    /** Requests that wait for the end of a run at once; the engine answers further requests with 503. */
    runWaits: { is: "count or none", default: 1000, see: "waiting-for-runs.md", perEngine: true },
    /** Requests to the API in a second, except those that publish or that runs make. */
    requestsPerSecond: { is: "count", otherwise: "any number", see: "overload.md", perEngine: true },
    /** Requests to the API in a day of UTC. */
    requestsPerDay: { is: "count", otherwise: "any number", see: "overload.md", perEngine: true },
    /** Bytes of a message's body. */
    messageBytes: { is: "count or none", default: "10 MiB" },
    /** Time until the delivery of a message, or of its report. */
    delay: { is: "time or none", otherwise: "any" },
    /** Time for an attempt. A message that asks for more, or for nothing, gets at most this. */
    timeout: { is: "time", otherwise: "any" },
    /** Endpoints of a URL group. */
    endpoints: { is: "count", default: 100 },
    /** URL groups. */
    urlGroups: { is: "count or none", default: 10_000 },
    /** Deliveries and calls in progress at once, together. */
    parallelism: { is: "count", otherwise: "`concurrency` plus `calls`", perEngine: true },
    /** Queues. */
    queues: { is: "count or none", default: 10_000, see: "queues.md" },
    /** Messages of a queue in progress at once. */
    queueParallelism: { is: "count", default: 1000 },
    /** Schedules. */
    schedules: { is: "count or none", default: 10_000 },
  },
  retention: {
    /** Time for which the engine recognises a message by its deduplication id or its content. */
    deduplication: { is: "time or none", default: "10m" },
    /** Time for which the engine keeps a message that was delivered, was cancelled or has failed. */
    messages: { is: "time or none", default: "1m" },
    /** Time for which the engine keeps an entry of the log, and a flow control key that nothing uses any more. */
    logs: { is: "time or none", default: "14d", see: "logs-and-dlq.md" },
    /** Time for which the engine keeps a dead letter, with its message or run. */
    dlq: { is: "time or none", default: "30d" },
    /** Time for which the engine keeps a run that has ended; a failed run at least as long as its dead letter. */
    runs: { is: "time or none", default: "14d" },
  },
} as const;

/**
 * The values that an option may have. Times are milliseconds in the library, and durations such as `30s`
 * elsewhere.
 */
export type Range = "count" | "count or none" | "time" | "time or none" | "flag" | "name";

export interface OptionRow {
  readonly is: Range;
  readonly default?: number | string | boolean;
  readonly otherwise?: string;
  readonly see?: string;
  readonly perEngine?: true;
}

type Group = "timeouts" | "limits" | "retention";
type Rows = Readonly<Record<string, OptionRow>>;
type Value<Row> = Row extends { readonly is: "flag" }
  ? boolean
  : Row extends { readonly is: "name" }
    ? string
    : number;
type Given<R> = { readonly [Name in keyof R]?: Value<R[Name]> };
type Resolved<R> = {
  readonly [Name in keyof R]: R[Name] extends { readonly default: unknown }
    ? Value<R[Name]>
    : Value<R[Name]> | undefined;
};

/** The numbers, flags and names among an engine's options. Times are milliseconds. */
export type ScalarOptions = Given<Omit<typeof ENGINE_OPTIONS, Group>> & {
  readonly [Name in Group]?: Given<(typeof ENGINE_OPTIONS)[Name]>;
};

/** {@link ScalarOptions} with the defaults filled in. */
export type ResolvedOptions = Resolved<Omit<typeof ENGINE_OPTIONS, Group>> & {
  readonly [Name in Group]: Resolved<(typeof ENGINE_OPTIONS)[Name]>;
};

/** The values that an option may have, in words and as a check. */
interface RangeCheck {
  readonly is: string;
  holds(value: unknown): boolean;
}

export const RANGES: Readonly<Record<Range, RangeCheck>> = {
  count: { is: "a whole number from 1 on", holds: (value) => isCount(value, 1) },
  "count or none": { is: "a whole number from 0 on", holds: (value) => isCount(value, 0) },
  time: { is: "a number of milliseconds above 0", holds: (value) => typeof value === "number" && value > 0 },
  "time or none": {
    is: "a number of milliseconds from 0 on",
    holds: (value) => typeof value === "number" && value >= 0,
  },
  flag: { is: "true or false", holds: (value) => typeof value === "boolean" },
  name: {
    is: "a name such as EU-CENTRAL-1",
    holds: (value) => typeof value === "string" && /^[\w-]+$/.test(value),
  },
};

/** `Infinity` stands for any number. */
function isCount(value: unknown, least: number): boolean {
  if (typeof value !== "number") return false;
  return (Number.isInteger(value) || value === Number.POSITIVE_INFINITY) && value >= least;
}

/**
 * Checks the numbers, flags and names of an engine's options and fills in the defaults.
 *
 * @throws TypeError that names an unknown option, or an option out of its range
 */
export function resolveOptions(given: ScalarOptions): ResolvedOptions {
  const { timeouts, limits, retention, ...rows } = ENGINE_OPTIONS;
  const { concurrency, calls, region, trustProxy, hidePayloads, search } = given;
  const own = resolve("", rows, { concurrency, calls, region, trustProxy, hidePayloads, search });
  const times = resolve("timeouts", timeouts, given.timeouts);
  return {
    ...own,
    timeouts: { ...times, message: given.timeouts?.message ?? Math.min(times.delivery, times.message) },
    limits: resolve("limits", limits, given.limits),
    retention: resolve("retention", retention, given.retention),
  };
}

function resolve<R extends Rows>(group: string, rows: R, given: object = {}): Resolved<R> {
  const values = given as Readonly<Record<string, unknown>>;
  checkOptions(group, values, Object.keys(rows).join(" "));
  const entries = Object.entries(rows).map(([name, row]) => {
    const value = values[name];
    if (value === undefined) return [name, defaultOf(row)];
    const { is, holds } = RANGES[row.is];
    if (holds(value)) return [name, value];
    throw new TypeError(`${nameOf(group, name)} must be ${is}; got ${String(value)}.`);
  });
  return Object.fromEntries(entries) as Resolved<R>;
}

function defaultOf({ default: value }: OptionRow): number | boolean | undefined {
  if (typeof value !== "string") return value;
  const [, mebibytes] = /^(\d+) MiB$/.exec(value) ?? [];
  return mebibytes === undefined ? parseDuration(value) : Number(mebibytes) * 1024 * 1024;
}

/** Each option with its name, such as `limits.retries`. */
export function namedOptions(): [name: string, row: OptionRow][] {
  return Object.entries(ENGINE_OPTIONS).flatMap(([group, rows]) =>
    isRow(rows)
      ? [[group, rows]]
      : Object.entries(rows).map(([name, row]): [string, OptionRow] => [nameOf(group, name), row]),
  );
}

function isRow(rows: OptionRow | Rows): rows is OptionRow {
  return typeof rows.is === "string";
}

function nameOf(group: string, name: string): string {
  return group === "" ? name : `${group}.${name}`;
}
