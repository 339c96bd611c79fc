import type { Schedule } from "@upstash/qstash";
import { type CallApi, toSegment } from "../engine-client/api.ts";
import { encodeRunOptions } from "../protocol/deferred-options.ts";
import * as HEADER from "../protocol/header-names.ts";
import { forward } from "../protocol/headers.ts";
import { checkRunOptions, type RunOptions } from "../protocol/message.ts";
import {
  contentTypeOf,
  definedHeaders,
  forwardedHeaders,
  timeHeaders,
  toCount,
} from "../protocol/options.ts";
import { toBody } from "../steps/index.ts";
import { checkNonEmptyString } from "../util/check.ts";
import { checkOptions } from "../util/options.ts";
import { checkUrl } from "../util/url.ts";

/** Runs that start by the clock, and how each of them is to be delivered. */
export interface ScheduleOptions extends Omit<RunOptions, "notBefore" | "redact"> {
  /** The workflow's endpoint, as the engine reaches it. */
  readonly url: string;
  /** Five fields; `CRON_TZ=Europe/Berlin ` before them for a time zone other than UTC. */
  readonly cron: string;
  /** The payload of each run: a text is sent as it is, everything else as JSON. */
  readonly body?: unknown;
  /** A schedule of the same id is replaced. */
  readonly scheduleId?: string;
}

/** Starts runs by the clock. A run of a schedule has its failure function, retries and labels like any other. */
export class WorkflowSchedules {
  readonly #callApi: CallApi;

  constructor(callApi: CallApi) {
    this.#callApi = callApi;
  }

  /** @throws TypeError for options that can't be obeyed */
  async create(options: ScheduleOptions): Promise<{ scheduleId: string }> {
    const { cron, body, scheduleId, headers, delay, ...runOptions } = options;
    checkOptions(
      "a schedule",
      options,
      "url body headers retries retryDelay flowControl timeout label failureRetries failureRetryDelay failureUrl delay cron scheduleId",
    );
    const url = checkUrl("url", options.url);
    checkNonEmptyString("The cron expression", cron);
    // Says what is wrong with the options now, and not at each tick.
    checkRunOptions(options);
    const text = toBody(body, "The payload");
    return this.#callApi("POST", ["schedules", url], {
      headers: definedHeaders([
        [HEADER.contentType, contentTypeOf(headers) ?? "application/json"],
        [HEADER.cron, cron],
        [HEADER.scheduleId, scheduleId],
        ...timeHeaders({ delay }),
        [HEADER.retries, toCount("retries", runOptions.retries)],
        ...forwardedHeaders(headers),
        // Travels with each tick to the endpoint, which starts the run with it.
        [forward(HEADER.runOptions), encodeRunOptions(runOptions)],
      ]),
      body: text,
    });
  }

  /** All schedules, also those that start no workflow. */
  list(): Promise<Schedule[]> {
    return this.#callApi("GET", ["schedules"]);
  }

  /** @throws WorkflowError `engine_refused` when there is none of this id */
  get(scheduleId: string): Promise<Schedule> {
    return this.#callApi("GET", ["schedules", toSegment(scheduleId)]);
  }

  /** Starts no more runs until it is resumed; ticks meanwhile are skipped. */
  pause(scheduleId: string): Promise<void> {
    return this.#change("PATCH", scheduleId, "pause");
  }

  /** Starts runs again, from the next tick on. */
  resume(scheduleId: string): Promise<void> {
    return this.#change("PATCH", scheduleId, "resume");
  }

  /** Starts no more runs. Those that it has started go on. */
  delete(scheduleId: string): Promise<void> {
    return this.#change("DELETE", scheduleId);
  }

  #change(method: "PATCH" | "DELETE", scheduleId: string, ...how: string[]): Promise<void> {
    return this.#callApi(method, ["schedules", toSegment(scheduleId), ...how], { empty: true });
  }
}
