import type { Schedule } from "@upstash/qstash";
import { type Ask, toSegment } from "../border/api.ts";
import { checkText } from "../kernel/check.ts";
import { checkOptions } from "../kernel/options.ts";
import { checkUrl } from "../kernel/url.ts";
import { forward } from "../protocol/headers.ts";
import { encodeRunOptions } from "../protocol/late-options.ts";
import { checkRunOptions, type RunOptions } from "../protocol/message.ts";
import * as HEADER from "../protocol/names.ts";
import { contentTypeOf, defined, forwarded, timeHeaders, toCount } from "../protocol/options.ts";
import { toText } from "../steps/index.ts";

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
  readonly #ask: Ask;

  constructor(ask: Ask) {
    this.#ask = ask;
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
    checkText("The cron expression", cron);
    // Says what is wrong with the options now, and not at each tick.
    checkRunOptions(options);
    const text = toText(body, "The payload");
    return this.#ask("POST", ["schedules", url], {
      headers: defined([
        [HEADER.contentType, contentTypeOf(headers) ?? "application/json"],
        [HEADER.cron, cron],
        [HEADER.scheduleId, scheduleId],
        ...timeHeaders({ delay }),
        [HEADER.retries, toCount("retries", runOptions.retries)],
        ...forwarded(headers),
        // Travels with each tick to the endpoint, which starts the run with it.
        [forward(HEADER.runOptions), encodeRunOptions(runOptions)],
      ]),
      body: text,
    });
  }

  /** All schedules, also those that start no workflow. */
  list(): Promise<Schedule[]> {
    return this.#ask("GET", ["schedules"]);
  }

  /** @throws WorkflowError `engine_refused` when there is none of this id */
  get(scheduleId: string): Promise<Schedule> {
    return this.#ask("GET", ["schedules", toSegment(scheduleId)]);
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
    return this.#ask(method, ["schedules", toSegment(scheduleId), ...how], { empty: true });
  }
}
