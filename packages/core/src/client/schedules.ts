import type { Schedule } from "@upstash/qstash";
import { type CallApi, toSegment } from "../engine-client/api.ts";
import { encodeRunOptions } from "../protocol/deferred-options.ts";
import * as HEADER from "../protocol/header-names.ts";
import { forward } from "../protocol/headers.ts";
import { checkRunOptions, type RunOptions } from "../protocol/message.ts";
import { contentTypeOf, definedHeaders, forwardedHeaders, timeHeaders } from "../protocol/options.ts";
import { toBody } from "../steps/index.ts";
import { checkNonEmptyString } from "../util/check.ts";
import { checkOptions } from "../util/options.ts";
import { checkUrl } from "../util/url.ts";

/** A schedule, and the options of each run that it starts. */
export interface ScheduleOptions extends Omit<RunOptions, "notBefore" | "redact"> {
  /** The workflow's endpoint, as the engine reaches it. */
  readonly url: string;
  /** A cron expression of five fields, in UTC; `CRON_TZ=Europe/Berlin ` in front of it sets another time zone. */
  readonly cron: string;
  /** The payload of each run: a string is sent as it is, everything else as JSON. */
  readonly body?: unknown;
  /** Replaces an existing schedule of this id. Default: a random id. */
  readonly scheduleId?: string;
}

/** Manages schedules. A run that a schedule starts has failure function, retries and labels like any other run. */
export class WorkflowSchedules {
  readonly #callApi: CallApi;

  constructor(callApi: CallApi) {
    this.#callApi = callApi;
  }

  /**
   * Creates or replaces a schedule.
   *
   * @throws TypeError for invalid options
   *
   * @example
   * ```ts
   * await client.schedules.create({
   *   url: "https://app.example.com/report",
   *   cron: "CRON_TZ=Europe/Berlin 0 9 * * 1",
   *   scheduleId: "weekly-report",
   * });
   * ```
   */
  async create(options: ScheduleOptions): Promise<{ scheduleId: string }> {
    const { cron, body, scheduleId, headers, delay, ...runOptions } = options;
    checkOptions(
      "a schedule",
      options,
      "url body headers retries retryDelay flowControl timeout label failureRetries failureRetryDelay failureUrl delay cron scheduleId",
    );
    const url = checkUrl("url", options.url);
    checkNonEmptyString("The cron expression", cron);
    // Throw for invalid options now, not at each tick.
    checkRunOptions(options);
    const payload = toBody(body, "The payload");
    return this.#callApi("POST", ["schedules", url], {
      headers: definedHeaders([
        [HEADER.contentType, contentTypeOf(headers) ?? "application/json"],
        [HEADER.cron, cron],
        [HEADER.scheduleId, scheduleId],
        ...timeHeaders({ delay }),
        [HEADER.retries, runOptions.retries],
        ...forwardedHeaders(headers),
        // The engine forwards this header with each tick to the endpoint, which starts the run with these options.
        [forward(HEADER.runOptions), encodeRunOptions(runOptions)],
      ]),
      body: payload,
    });
  }

  /**
   * Lists all schedules, including those that send a plain message.
   *
   * @example
   * ```ts
   * const paused = (await client.schedules.list()).filter(({ isPaused }) => isPaused);
   * ```
   */
  list(): Promise<Schedule[]> {
    return this.#callApi("GET", ["schedules"]);
  }

  /**
   * Fetches a schedule.
   *
   * @throws WorkflowError `engine_refused` when no schedule has this id
   *
   * @example
   * ```ts
   * const { cron } = await client.schedules.get("weekly-report");
   * ```
   */
  get(scheduleId: string): Promise<Schedule> {
    return this.#callApi("GET", ["schedules", toSegment(scheduleId)]);
  }

  /**
   * Pauses a schedule. The engine skips its ticks until it is resumed.
   *
   * @example
   * ```ts
   * await client.schedules.pause("weekly-report");
   * ```
   */
  pause(scheduleId: string): Promise<void> {
    return this.#change("PATCH", scheduleId, "pause");
  }

  /**
   * Resumes a paused schedule, from the next tick on.
   *
   * @example
   * ```ts
   * await client.schedules.resume("weekly-report");
   * ```
   */
  resume(scheduleId: string): Promise<void> {
    return this.#change("PATCH", scheduleId, "resume");
  }

  /**
   * Deletes a schedule. Runs that it has started continue.
   *
   * @example
   * ```ts
   * await client.schedules.delete("weekly-report");
   * ```
   */
  delete(scheduleId: string): Promise<void> {
    return this.#change("DELETE", scheduleId);
  }

  #change(method: "PATCH" | "DELETE", scheduleId: string, ...action: string[]): Promise<void> {
    return this.#callApi(method, ["schedules", toSegment(scheduleId), ...action], { empty: true });
  }
}
