import type { SigningKeys } from "../delivery/signer.ts";
import { auditLog } from "../http/audit-log.ts";
import { signingKeys as routes } from "../http/keys.ts";
import { liveEvents } from "../http/stream.ts";
import type { Backup } from "../store/maintenance.ts";
import type { LiveEvent } from "../watch/event-streams.ts";
import type { StreamEvent } from "../watch/stream-events.ts";
import type { Answer } from "./answer.ts";
import type { Caller } from "./caller.ts";
import { checkFilters, type Dates, type OneOrMore, type Page } from "./filters.ts";

const AUDIT = auditLog["/v2/workflows/audit"].GET;

/** The keys that deliveries are signed with. */
export interface KeysApi {
  /**
   * Gets the keys in use.
   *
   * @example
   * ```ts
   * const { current, next } = await engine.keys.get();
   * ```
   */
  get(): Promise<SigningKeys>;
  /**
   * Replaces the current key by the next key, and the next key by a new key. Endpoints need the new pair
   * before the next rotation.
   *
   * @example
   * ```ts
   * const { current, next } = await engine.keys.rotate();
   * ```
   */
  rotate(): Promise<SigningKeys>;
}

/** A page of the audit log. The last page has no `cursor`. */
export type AuditPage = Answer<typeof AUDIT>;

/** Filters of the audit log. */
export interface AuditFilters extends Dates, Page {
  /** The verb and the path of a route, such as `DELETE /v2/queues/:name`. */
  readonly action?: OneOrMore<string>;
  /** The sender, by the beginning of the hash of its token. */
  readonly actor?: OneOrMore<string>;
  /** The person, as the dashboard or the command names them. */
  readonly person?: OneOrMore<string>;
  /** The object that a request names. */
  readonly target?: OneOrMore<string>;
}

/** Filters of the events of a stream. An event must match every filter. */
export interface StreamOptions {
  /** Kinds of events. */
  readonly event?: OneOrMore<StreamEvent["event"]>;
  /** A label of the run. */
  readonly label?: OneOrMore<string>;
  /** Id of the run. */
  readonly workflowRunId?: OneOrMore<string>;
  /** The whole URL of the endpoint. */
  readonly workflowUrl?: OneOrMore<string>;
  /** The `id` of the last event that was received: the stream goes on after it. */
  readonly lastEventId?: string;
  /** A signal that ends the stream. */
  readonly signal?: AbortSignal;
}

/** The audit log. */
export interface AuditApi {
  /**
   * Lists the requests that have changed something by hand, the latest first. Calls of this process aren't among them.
   *
   * @example
   * ```ts
   * const { entries } = await engine.audit.list({ target: "wfr_order-7" });
   * ```
   */
  list(filters?: AuditFilters): Promise<AuditPage>;
}

/** Keys, backups, and what happens, for the engine's operator. */
export interface UpkeepApi {
  /** The keys that deliveries are signed with. */
  readonly keys: KeysApi;
  /** The audit log. */
  readonly audit: AuditApi;
  /**
   * Streams what changes in runs, messages, dead letters, queues, keys and schedules, once it is on disk. The stream begins
   * with the call, and ends when the signal aborts, the loop is left, or the engine stops.
   *
   * @throws EngineError `unavailable` when too many streams are open
   * @example
   * ```ts
   * for await (const { event, data } of await engine.stream({ event: "run", label: "import" })) {
   *   console.log(event, data.type, data.workflowRunId);
   * }
   * ```
   */
  stream(options?: StreamOptions): Promise<AsyncIterable<LiveEvent>>;
  /**
   * Copies the whole database in a consistent state, while the engine keeps running.
   *
   * @throws EngineError `not_possible_here` if the database isn't a file
   * @example
   * ```ts
   * const { content } = await engine.backup();
   * await writeFile("backup.db", content);
   * ```
   */
  backup(): Promise<Backup>;
}

export function createUpkeepApi({ call, run }: Caller): UpkeepApi {
  return {
    keys: {
      get: () => call(routes["/v2/keys"].GET),
      rotate: () => call(routes["/v2/keys/rotate"].POST),
    },
    audit: { list: (filters = {}) => call(AUDIT, { query: filters }) },
    async stream(options = {}) {
      checkFilters(options);
      const { signal, ...filters } = options;
      return call(liveEvents, { query: filters, signal });
    },
    backup: () => run(({ store }) => store.backup()),
  };
}
