import { type CallApi, createApi, toSegment } from "../engine-client/api.ts";
import type { Engine } from "../engine-client/engine.ts";
import { processEnv } from "../engine-client/environment.ts";
import { checkClient, type GivenClient, resolveEngine } from "../engine-client/resolve-engine.ts";
import type { NotifyResponse, Waiter } from "../protocol/wait.ts";
import { toBody } from "../steps/index.ts";
import { isList } from "../util/check.ts";
import { DeadLetters } from "./dlq.ts";
import { type CancelFilters, cancel, type LogsOptions, logs, type RunPage, Runs } from "./runs.ts";
import { WorkflowSchedules } from "./schedules.ts";
import type { Selection } from "./select.ts";
import { type TriggerOptions, type TriggerResult, trigger } from "./trigger.ts";

/** An event, for all who wait for it or for one run. */
export interface NotifyOptions {
  /** What `context.waitForEvent` was called with. */
  readonly eventId: string;
  /** A text is sent as it is, everything else as JSON. */
  readonly eventData?: unknown;
  /** Only this run is told; it may also come to wait only later. */
  readonly workflowRunId?: string;
}

/**
 * Starts runs and looks after them. Whatever the engine refuses or doesn't answer is a WorkflowError:
 * `engine_refused`, `engine_unreachable`, or `quota_exceeded`.
 */
export class Client {
  readonly #config: GivenClient;
  readonly #callApi: CallApi;
  #resolved: Engine | undefined;
  /** Failed runs. */
  readonly dlq: DeadLetters;
  /** Single runs, and their results. */
  readonly runs: Runs;
  /** Runs that start by the clock. */
  readonly schedules: WorkflowSchedules;

  /**
   * Reads no settings yet: the first request does, so that a module may make a client where there are no secrets, as in
   * a build. A request without a token is a WorkflowError `missing_token`; one with a malformed token or address is a TypeError.
   *
   * @throws TypeError for an unknown setting
   * @param config settings, of which `QSTASH_URL` and `QSTASH_TOKEN` are the defaults, or a client of `@upstash/qstash`
   */
  constructor(config: GivenClient = {}) {
    checkClient(config);
    this.#config = config;
    this.#callApi = createApi(() => this.#engine.connection.http);
    this.dlq = new DeadLetters(this.#callApi);
    this.runs = new Runs(this.#callApi);
    this.schedules = new WorkflowSchedules(this.#callApi);
  }

  get #engine(): Engine {
    this.#resolved ??= resolveEngine(this.#config, processEnv());
    return this.#resolved;
  }

  /**
   * Starts one run, or several with one request.
   *
   * @throws TypeError for options that can't be obeyed, before anything is sent
   * @throws WorkflowError `engine_refused` with a `cause` that lists what became of each run
   */
  trigger(options: TriggerOptions): Promise<TriggerResult>;
  trigger(options: readonly TriggerOptions[]): Promise<TriggerResult[]>;
  async trigger(
    options: TriggerOptions | readonly TriggerOptions[],
  ): Promise<TriggerResult | TriggerResult[]> {
    if (isList(options)) return options.length > 0 ? trigger(this.#engine, options) : [];
    const [result] = await trigger(this.#engine, [options]);
    return result as TriggerResult;
  }

  /** Ends runs: one, several by their ids, those that match a filter, or all. Their failure functions aren't called. */
  cancel(selection: Selection<"workflowRunIds", CancelFilters>): Promise<{ cancelled: number }> {
    return cancel(this.#callApi, selection);
  }

  /** Tells those who wait for an event. @returns who was told */
  async notify({ eventId, eventData, workflowRunId }: NotifyOptions): Promise<NotifyResponse[]> {
    return this.#engine.notify(eventId, toBody(eventData, "The event"), workflowRunId);
  }

  /** Who waits for an event. */
  async getWaiters({ eventId }: { readonly eventId: string }): Promise<Waiter[]> {
    return this.#callApi<Waiter[]>("GET", ["waiters", toSegment(eventId)]);
  }

  /** Runs with their steps, the newest first. */
  logs(options: LogsOptions = {}): Promise<RunPage> {
    return logs(this.#callApi, options);
  }
}
