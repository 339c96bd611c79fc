import { type CallApi, createApi, toSegment } from "../engine-client/api.ts";
import type { Engine } from "../engine-client/engine.ts";
import { processEnv } from "../engine-client/environment.ts";
import { checkClient, type GivenClient, resolveEngine } from "../engine-client/resolve-engine.ts";
import type { NotifyResponse, Waiter } from "../protocol/wait.ts";
import {
  type ChildPayload,
  eventIdOf,
  type Invokable,
  type ResultOf,
  toBody,
  type WorkflowEvent,
} from "../steps/index.ts";
import { isList } from "../util/check.ts";
import { testHost } from "../util/test-host.ts";
import { DeadLetters } from "./dlq.ts";
import { deadlineOf, RunWaiter, type WaitForRun } from "./run-waiter.ts";
import { type CancelFilters, cancel, getRun, type LogsOptions, logs, type RunPage, Runs } from "./runs.ts";
import { WorkflowSchedules } from "./schedules.ts";
import type { Selection } from "./select.ts";
import {
  type AndWait,
  readTrigger,
  type TriggeredRun,
  type TriggerOptions,
  type TriggerOptionsOf,
  type TriggerResult,
  type TriggerWorkflowOptions,
  toWait,
  trigger,
} from "./trigger.ts";

/** An event, for all runs that wait for it or for one run. */
export interface NotifyOptions {
  /** The event id that the run has passed to `context.waitForEvent`. */
  readonly eventId: string;
  /** The client sends a string as it is, and everything else as JSON. */
  readonly eventData?: unknown;
  /** Notifies only this run, even if it starts to wait later. */
  readonly workflowRunId?: string;
}

/** A declared event, for all runs that wait for it or for one run. */
export interface NotifyEventOptions<Input> extends Pick<NotifyOptions, "workflowRunId"> {
  /** An event of `defineEvent`. */
  readonly eventId: WorkflowEvent<unknown, Input>;
  /** The event's data, in the type that its schema accepts. */
  readonly eventData: NoInfer<Input>;
}

/**
 * Starts and manages runs. A request that the engine refuses or doesn't answer throws a WorkflowError:
 * `engine_refused`, `engine_unreachable`, or `quota_exceeded`.
 *
 * @example
 * ```ts
 * const client = new Client(); // reads PERDURE_URL and PERDURE_TOKEN
 * const { workflowRunId } = await client.trigger({ url: "https://app.example.com/order", body: { id: 7 } });
 * const { result } = await client.runs.wait(workflowRunId, { timeout: "1m" });
 * ```
 */
export class Client {
  readonly #config: GivenClient;
  readonly #callApi: CallApi;
  readonly #waiter: RunWaiter;
  #resolved: Engine | undefined;
  /** Failed runs. */
  declare readonly dlq: DeadLetters;
  /** Single runs, and their results. */
  declare readonly runs: Runs;
  /** Schedules that start runs. */
  declare readonly schedules: WorkflowSchedules;

  /**
   * Doesn't read the environment: the first request does, so that a module can create a client during a build, which has no
   * secrets. A request without a token throws a WorkflowError `missing_token`; a malformed token or URL a TypeError.
   *
   * @param config settings, or a client of `@upstash/qstash`. Default: `PERDURE_URL` and `PERDURE_TOKEN`
   * @throws TypeError for an unknown setting
   */
  constructor(config: GivenClient = {}) {
    checkClient(config);
    this.#config = config;
    this.#callApi = createApi(() => this.#engine.connection.http);
    this.dlq = new DeadLetters(this.#callApi);
    this.#waiter = new RunWaiter(this.#callApi, (runId) => getRun(this.#callApi, runId));
    this.runs = new Runs(this.#callApi, this.#waiter);
    this.schedules = new WorkflowSchedules(this.#callApi);
  }

  get #engine(): Engine {
    // Each test has an engine of its own.
    if (testHost() || !this.#resolved) this.#resolved = resolveEngine(this.#config, processEnv());
    return this.#resolved;
  }

  /**
   * Starts one run, or several with one request. With `wait`, waits for their ends as {@link Runs.wait} does.
   *
   * A served workflow, or its type, gives the types of the payload and the result. A workflow without the option `url`
   * needs it here.
   *
   * @throws TypeError for invalid options, before the client sends anything
   * @throws WorkflowError `engine_refused` when the engine refuses a run; its `cause` lists the result of each run;
   * `timeout` when a wait is over before a run has ended
   * @example
   * ```ts
   * const { workflowRunId } = await client.trigger({
   *   url: "https://app.example.com/order",
   *   body: { id: 7 },
   *   workflowRunId: "order-7",
   * });
   * const { result } = await client.trigger<Receipt>(
   *   { url: "https://app.example.com/order", body: { id: 8 } },
   *   { wait: { timeout: "1m" } },
   * );
   * const typed = await client.trigger(order, { id: 9 }, { url: "https://app.example.com/order", wait: true });
   * await client.trigger<typeof order>({ url: "https://app.example.com/order", body: { id: 9 } });
   * ```
   */
  // TypeScript explains a wrong call by the last overload: the most used ones come last.
  trigger<Target = unknown>(
    options: readonly TriggerOptionsOf<Target>[],
  ): Promise<TriggerResult<ResultOf<Target>>[]>;
  trigger<Target = unknown>(options: TriggerOptionsOf<Target>): Promise<TriggerResult<ResultOf<Target>>>;
  trigger<Target = unknown>(
    options: readonly TriggerOptionsOf<Target>[],
    and: AndWait,
  ): Promise<TriggeredRun<ResultOf<Target>>[]>;
  trigger<Target = unknown>(
    options: TriggerOptionsOf<Target>,
    and: AndWait,
  ): Promise<TriggeredRun<ResultOf<Target>>>;
  trigger<Payload, Result>(
    workflow: Invokable<Payload, Result>,
    payload: ChildPayload<NoInfer<Payload>>,
    options: TriggerWorkflowOptions & AndWait,
  ): Promise<TriggeredRun<Result>>;
  trigger<Payload, Result>(
    workflow: Invokable<Payload, Result>,
    payload: ChildPayload<NoInfer<Payload>>,
    options?: TriggerWorkflowOptions,
  ): Promise<TriggerResult<Result>>;
  async trigger(
    target: TriggerOptions | readonly TriggerOptions[] | Invokable,
    second?: unknown,
    third?: TriggerWorkflowOptions & Partial<AndWait>,
  ): Promise<TriggerResult | TriggerResult[]> {
    const { all, and } = readTrigger(target, second, third);
    const limits = and && toWait(and);
    const started = all.length > 0 ? await trigger(this.#engine, all) : [];
    const results = limits ? await this.#waitFor(started, limits) : started;
    return isList(target) ? results : (results[0] as TriggerResult);
  }

  async #waitFor(started: readonly TriggerResult[], limits: WaitForRun): Promise<TriggerResult[]> {
    const ids = started.map(({ workflowRunId }) => workflowRunId);
    const runs = await this.#waiter.waitForAll(ids, limits, deadlineOf(limits));
    return started.map((result, at) => ({ ...runs[at], ...result }));
  }

  /**
   * Cancels runs: one, several by their ids, all that match a filter, or all. The engine doesn't call their failure functions.
   *
   * @example
   * ```ts
   * await client.cancel("wfr_order-7");
   * const { cancelled } = await client.cancel({ filter: { label: "trial" } });
   * ```
   */
  cancel(selection: Selection<"workflowRunIds", CancelFilters>): Promise<{ cancelled: number }> {
    return cancel(this.#callApi, selection);
  }

  /**
   * Notifies the runs that wait for an event. With an event of `defineEvent`, validates its data first.
   *
   * @returns an entry for each notified run
   * @throws WorkflowError `invalid_event` when the data doesn't fit the event's schema; the client sends nothing then
   *
   * @example
   * ```ts
   * const notified = await client.notify({ eventId: "order-7", eventData: { ok: true } });
   * console.log(`${notified.length} runs were waiting`);
   * ```
   */
  notify(options: NotifyOptions): Promise<NotifyResponse[]>;
  notify<Input>(options: NotifyEventOptions<Input>): Promise<NotifyResponse[]>;
  async notify({
    eventId: event,
    eventData,
    workflowRunId,
  }: NotifyOptions | NotifyEventOptions<unknown>): Promise<NotifyResponse[]> {
    const eventId = eventIdOf(event);
    const body = toBody(eventData, "The event");
    if (typeof event !== "string") await event["~check"](body);
    return this.#engine.notify(eventId, body, workflowRunId);
  }

  /**
   * Lists the runs that wait for an event.
   *
   * @example
   * ```ts
   * const waiters = await client.getWaiters({ eventId: "order-7" });
   * const urls = waiters.map(({ url }) => url);
   * ```
   */
  async getWaiters({ eventId }: { readonly eventId: string }): Promise<Waiter[]> {
    return this.#callApi<Waiter[]>("GET", ["waiters", toSegment(eventId)]);
  }

  /**
   * Lists runs with their steps, the newest first.
   *
   * @example
   * ```ts
   * const { runs, cursor } = await client.logs({ count: 20, filter: { state: "RUN_FAILED" } });
   * const next = cursor ? await client.logs({ count: 20, filter: { state: "RUN_FAILED" }, cursor }) : undefined;
   * ```
   */
  logs(options: LogsOptions = {}): Promise<RunPage> {
    return logs(this.#callApi, options);
  }
}
