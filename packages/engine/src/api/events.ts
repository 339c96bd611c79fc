import { mustBe } from "@perdure/core/protocol";
import { notifiedView, events as routes } from "../http/events.ts";
import { waiting } from "../http/waiting.ts";
import { checkOptions } from "../rules/check-options.ts";
import { toEventId } from "../rules/field.ts";
import type { Answer } from "./answer.ts";
import type { Caller } from "./caller.ts";
import { toContent } from "./content.ts";
import type { OneOrMore, Page } from "./filters.ts";

const WAITING = waiting["/v2/workflows/waiters"].GET;

/** Steps that an event was delivered to. */
export type NotifiedSteps = Answer<(typeof routes)["/v2/notify/*"]["POST"]>;

/** Steps that wait for an event. */
export type Waiters = Answer<(typeof routes)["/v2/waiters/*"]["GET"]>;

/** A page of steps that wait for events and webhooks. The last page has no `cursor`. */
export type WaitPage = Answer<typeof WAITING>;

/** Filters of steps that wait. */
export interface WaitFilters extends Page {
  /** The event id, or that of a webhook. */
  readonly eventId?: OneOrMore<string>;
  /** Id of the run. */
  readonly workflowRunId?: OneOrMore<string>;
  /** The whole URL of the endpoint. */
  readonly workflowUrl?: OneOrMore<string>;
}

/** An event, for all steps that wait for it or for one run. */
export interface EventOptions {
  /** The event id that `context.waitForEvent` was called with. */
  readonly eventId: string;
  /** The event's data: a string or a `Uint8Array` is sent as it is, everything else as JSON. */
  readonly data?: unknown;
  /** The only run that gets the event, even if it doesn't wait for it yet. */
  readonly workflowRunId?: string;
}

/** The events that steps wait for. */
export interface EventsApi {
  /**
   * Delivers an event to the steps that wait for it. An event for one run goes to the first step that waits
   * in the run; if none waits yet, the engine keeps the event until a step does.
   *
   * @returns the steps that got the event; none if the run isn't live
   * @example
   * ```ts
   * const steps = await engine.events.notify({ eventId: "payment-7", data: { amount: 42 } });
   * ```
   */
  notify(event: EventOptions): Promise<NotifiedSteps>;
  /**
   * Lists the steps that wait for an event, the one that has waited longest first.
   *
   * @example
   * ```ts
   * const waiting = await engine.events.waiters("payment-7");
   * ```
   */
  waiters(eventId: string): Promise<Waiters>;
  /**
   * Lists the steps that wait for any events and webhooks, with their deadlines, the latest first.
   *
   * @example
   * ```ts
   * const { waiters } = await engine.events.waits({ workflowUrl: "https://app.example.com/order" });
   * ```
   */
  waits(filters?: WaitFilters): Promise<WaitPage>;
}

export function createEventsApi({ call, run }: Caller): EventsApi {
  return {
    notify: (event) =>
      run(async ({ store, limits }) => {
        checkOptions<EventOptions, "eventId data workflowRunId">(
          "events.notify",
          event,
          "eventId data workflowRunId",
        );
        const { workflowRunId: runId } = event;
        if (typeof event.eventId !== "string") throw mustBe("eventId", "a string", event.eventId);
        if (runId !== undefined && typeof runId !== "string")
          throw mustBe("workflowRunId", "a string", runId);
        const eventId = toEventId(event.eventId, "eventId");
        const data = toContent(event.data, limits).bytes;
        return notifiedView(await store.notify({ eventId, data, runId }));
      }),
    waits: (filters = {}) => call(WAITING, { query: filters }),
    waiters: (eventId) => call(routes["/v2/waiters/*"].GET, { params: { eventId } }),
  };
}
