import { publishBatch } from "../commands/publish-batch.ts";
import { publish } from "../http/publish.ts";
import { itemView, triggeredView } from "../http/published.ts";
import type { Output } from "../http/route.ts";
import type { error, published, triggered } from "../http/schemas.ts";
import type { Service } from "../http/service.ts";
import { mustBeKind } from "../rules/check-options.ts";
import { parseCommand } from "../rules/command.ts";
import { EngineError } from "../rules/engine-error.ts";
import type { Receipt } from "../store/receipt.ts";
import { createCaller, inOptionNames } from "./caller.ts";
import { createFlowsApi, createQueuesApi, type FlowsApi, type QueuesApi } from "./controls.ts";
import { createDeadLettersApi, type DeadLettersApi } from "./dlq.ts";
import { createEventsApi, type EventsApi } from "./events.ts";
import { createLogsApi, createMessagesApi, type LogsApi, type MessagesApi } from "./messages.ts";
import {
  type EnqueueOptions,
  type PublishOptions,
  type PublishToGroup,
  type TriggerOptions,
  toRequest,
  toStart,
} from "./publish-options.ts";
import { createRunsApi, type RunsApi } from "./runs.ts";
import { createSchedulesApi, type SchedulesApi } from "./schedules.ts";
import { createUpkeepApi, type UpkeepApi } from "./upkeep.ts";
import { createUrlGroupsApi, type UrlGroupsApi } from "./url-groups.ts";

/** The answer to a message. */
export type Published = Output<typeof published>;

/** The answer to a message to a URL, or to one for each endpoint of a URL group, in their order. */
export type PublishedTo<Options extends PublishOptions> = Options extends PublishToGroup
  ? readonly Published[]
  : Published;

/** The answer to the start of a run. */
export type Triggered = Output<typeof triggered>;

/**
 * The answer to a message of a batch: a receipt, a receipt for each endpoint of its URL group, or an error.
 */
export type BatchResult = Published | readonly Published[] | Output<typeof error>;

/**
 * The API of an engine for code in its own process. It calls the functions of the HTTP API, with the same
 * checks but without requests, tokens and rate limits.
 *
 * A method throws an `EngineError` when the engine refuses a call, and a `TypeError` for invalid arguments.
 * While the engine can't write to its database, methods throw `StoreUnavailable`.
 */
export interface EngineApi extends UpkeepApi {
  /**
   * Publishes a message to a URL, or one to each endpoint of a URL group.
   *
   * @example
   * ```ts
   * const { messageId } = await engine.publish({
   *   url: "https://app.example.com/mail",
   *   body: { to: "a@example.com" },
   *   delay: "10m",
   * });
   * const messages = await engine.publish({ urlGroup: "orders", body: "new" });
   * ```
   */
  publish<Options extends PublishOptions>(options: Options): Promise<PublishedTo<Options>>;
  /**
   * Puts a message in a queue. Creates the queue if it doesn't exist.
   *
   * @example
   * ```ts
   * await engine.enqueue({ queue: "mails", url: "https://app.example.com/mail", body: { id: 7 } });
   * ```
   */
  enqueue<Options extends EnqueueOptions>(options: Options): Promise<PublishedTo<Options>>;
  /**
   * Publishes many messages. A refused message doesn't stop the others: its result has an `error`.
   *
   * @throws EngineError `too_large` for more than `limits.batchItems` messages
   * @example
   * ```ts
   * const results = await engine.batch([
   *   { url: "https://a.example.com" },
   *   { urlGroup: "orders", queue: "slow" },
   * ]);
   * ```
   */
  batch(
    messages: readonly (PublishOptions & Partial<Pick<EnqueueOptions, "queue">>)[],
  ): Promise<readonly BatchResult[]>;
  /**
   * Starts a workflow run.
   *
   * @returns the run's id; with `deduplicated` if a run with this id was live already
   * @example
   * ```ts
   * const { workflowRunId } = await engine.trigger({
   *   url: "https://app.example.com/order",
   *   body: { id: 7 },
   *   retries: 5,
   * });
   * ```
   */
  trigger(options: TriggerOptions): Promise<Triggered>;
  /** The runs of workflows. */
  readonly runs: RunsApi;
  /** The events that steps wait for. */
  readonly events: EventsApi;
  /** The dead letter queue. */
  readonly dlq: DeadLettersApi;
  /** Messages that are in progress. */
  readonly messages: MessagesApi;
  /** The log of messages. */
  readonly logs: LogsApi;
  /** Schedules, which publish messages at the times of a cron expression. */
  readonly schedules: SchedulesApi;
  /** Queues, by name. */
  readonly queues: QueuesApi;
  /** Flow control, by key. */
  readonly flows: FlowsApi;
  /** URL groups. */
  readonly urlGroups: UrlGroupsApi;
}

/** @param begin called before each call */
export function createApi(service: Service, begin: () => void): EngineApi {
  const caller = createCaller(service, begin);
  // The type of the answer depends on the destination.
  const send = <Answer>(owner: string, options: PublishOptions): Promise<Answer> =>
    caller.run(async () => (await publish(toRequest(owner, options, service), service)) as Answer);
  return {
    publish: (options) => send("publish", options),
    async enqueue(options) {
      if (Object(options).queue === undefined) throw new TypeError("enqueue needs the name of a queue.");
      return send("enqueue", options);
    },
    batch: (messages) =>
      caller.run(async ({ store, limits }) => {
        if (!Array.isArray(messages))
          throw mustBeKind("The argument of batch", "a list of messages", messages);
        const requests = messages.map((one) => toRequest("batch", one, service));
        const items = requests.map((request) => ({ headers: request.headers, read: () => request }));
        const results = await publishBatch(store, items, limits);
        return results.map((one) => itemView(one instanceof EngineError ? inOptionNames(one) : one));
      }),
    trigger: (options) =>
      caller.run(async ({ store, limits }) => {
        const command = parseCommand(toStart(options, service), limits);
        const [receipt] = (await store.accept([command], limits)) as [Receipt];
        return triggeredView(receipt);
      }),
    runs: createRunsApi(caller),
    events: createEventsApi(caller),
    dlq: createDeadLettersApi(caller),
    messages: createMessagesApi(caller),
    logs: createLogsApi(caller),
    schedules: createSchedulesApi(caller),
    queues: createQueuesApi(caller),
    flows: createFlowsApi(caller),
    urlGroups: createUrlGroupsApi(caller),
    ...createUpkeepApi(caller),
  };
}
