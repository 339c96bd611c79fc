import type { StepRecord } from "../protocol/step.ts";
import { type NotifyResponse, waitRequest } from "../protocol/wait.ts";
import { textFromBase64 } from "../util/bytes.ts";
import { checkId } from "../util/check.ts";
import { type Duration, toWireDuration } from "../util/duration.ts";
import { parseLeniently } from "../util/json.ts";
import type { Jsonify } from "../util/jsonify.ts";
import { checkOptions } from "../util/options.ts";
import { checkPolicy, type RollbackOptions } from "./policy.ts";
import { type Step, serialize, toBody } from "./step.ts";

/** Options of a wait for an event. */
export interface WaitOptions {
  /** Seconds or a duration; `"7d"` by default. */
  readonly timeout?: number | Duration;
}

/** The result of a wait: the event's data, or a timeout. */
export type WaitResponse<Event = unknown> = EventResponse<Jsonify<Event>>;

/** The result of a wait for a declared event: its data as the schema returns it, or a timeout. */
export type EventResponse<Data = unknown> =
  | { readonly timeout: false; readonly eventData: Data }
  | { readonly timeout: true; readonly eventData: undefined };

/**
 * An event that `defineEvent` has declared.
 *
 * `Data` is the type that a workflow receives, `Input` the type that a sender passes.
 */
export interface WorkflowEvent<Data = unknown, Input = unknown> {
  /** The event id: the declared name, and the key of {@link WorkflowEvent.for}. */
  readonly eventId: string;
  /** Never set at runtime: it only carries the type. */
  readonly "~input"?: Input;
  /**
   * Validates the data of an event.
   *
   * @throws WorkflowError `invalid_event`
   * @example
   * ```ts
   * const { ok } = await approval.parse(await request.json());
   * ```
   */
  parse(data: unknown): Promise<Data>;
  /**
   * Returns the same event for one key, such as an order's id: the event id is the name, a slash and the key.
   *
   * @example
   * ```ts
   * await client.notify({ eventId: approval.for("order-7"), eventData: { ok: true } });
   * ```
   */
  for(key: string): WorkflowEvent<Data, Input>;
  /** Validates the JSON form of the data that a sender passes. */
  "~check"(body: string | undefined): Promise<void>;
  /** Adds the validated data to the result of a wait. */
  "~receive"(wait: Promise<{ readonly timeout: boolean }>): Promise<unknown>;
}

/** @throws TypeError for what is neither an event nor an id */
export function eventIdOf(event: string | Pick<WorkflowEvent, "eventId">): string {
  const id: unknown = typeof event === "string" ? event : Object(event).eventId;
  checkId("The event id", id);
  return id;
}

/** Waits until the event is notified, or the timeout passes. */
export function waitForEvent(
  name: string,
  event: string | WorkflowEvent,
  options: WaitOptions = {},
): Step<EventResponse> {
  checkOptions(`step "${name}"`, options, "timeout");
  const { timeout = "7d" } = options;
  return waitStep(name, "Wait", event, timeout);
}

export function readWait(record: StepRecord): WaitResponse {
  if (record.waitTimeout) return { timeout: true, eventData: undefined };
  return { timeout: false, eventData: parseLeniently(textFromBase64(record.out ?? "")) };
}

/** The common part of waits for an event and for a webhook. */
export function waitStep(
  name: string,
  type: "Wait" | "WaitForWebhook",
  event: string | Pick<WorkflowEvent, "eventId">,
  limit: number | Duration,
): Step<never> {
  const eventId = eventIdOf(event);
  const timeout = toWireDuration(limit, "timeout");
  return {
    name,
    type,
    fields: { waitEventId: eventId, timeout },
    toEngineRequest: (place) => {
      const step = { stepId: place.id, stepType: type, stepName: name, concurrent: place.concurrent };
      return { wait: waitRequest(place, eventId, toWireDuration(limit, "timeout", place.exact), step) };
    },
  };
}

/** The event of a `notify` step, and the runs that it reached. */
export interface NotifyStepResponse {
  readonly eventId: string;
  readonly eventData: unknown;
  readonly notifyResponse: NotifyResponse[];
}

/** Notifies all runs that wait for an event, or one run. */
export function notify(
  name: string,
  event: string | WorkflowEvent,
  eventData?: unknown,
  workflowRunId?: string,
  options: RollbackOptions<NotifyStepResponse> = {},
): Step<NotifyStepResponse> {
  checkOptions(`step "${name}"`, options, "rollback rollbackRetries rollbackRetryDelay rollbackTimeout");
  checkPolicy(options as RollbackOptions<never>);
  const eventId = eventIdOf(event);
  if (workflowRunId !== undefined) checkId("workflowRunId", workflowRunId);
  const data = toBody(eventData, `The event of step "${name}"`);
  return {
    name,
    type: "Notify",
    options: options as RollbackOptions,
    perform: async ({ engine }) => {
      const subject = `the event of step "${name}"`;
      if (typeof event !== "string") await event["~check"](data);
      const notifyResponse = await engine().notify(eventId, data, workflowRunId, subject);
      return serialize({ eventId, eventData, notifyResponse }, `The result of step "${name}"`);
    },
  };
}
