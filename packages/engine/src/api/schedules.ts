import { publish } from "../http/publish.ts";
import { schedules as routes } from "../http/schedules.ts";
import type { Answer } from "./answer.ts";
import type { Caller } from "./caller.ts";
import { type ScheduleOptions, toRequest } from "./publish-options.ts";

const ONE = routes["/v2/schedules/*"];
const PAUSE = routes["/v2/schedules/:schedule{[^/:]+}/pause"].POST;
const RESUME = routes["/v2/schedules/:schedule{[^/:]+}/resume"].POST;

/** A schedule. */
export type ScheduleInfo = Answer<typeof ONE.GET>;

/** Schedules, which publish messages at the times of a cron expression. */
export interface SchedulesApi {
  /**
   * Creates a schedule, or replaces the schedule with its id.
   *
   * @throws EngineError `limit_reached` for too many schedules
   * @example
   * ```ts
   * const { scheduleId } = await engine.schedules.create({
   *   url: "https://app.example.com/report",
   *   cron: "0 9 * * *",
   * });
   * ```
   */
  create(options: ScheduleOptions): Promise<{ readonly scheduleId: string }>;
  /**
   * Gets a schedule.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * const { nextScheduleTime } = await engine.schedules.get(scheduleId);
   * ```
   */
  get(scheduleId: string): Promise<ScheduleInfo>;
  /**
   * Lists all schedules, the oldest first.
   *
   * @example
   * ```ts
   * const schedules = await engine.schedules.list();
   * ```
   */
  list(): Promise<readonly ScheduleInfo[]>;
  /**
   * Pauses a schedule: the engine skips its times until it is resumed.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * await engine.schedules.pause(scheduleId);
   * ```
   */
  pause(scheduleId: string): Promise<void>;
  /**
   * Resumes a schedule.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * await engine.schedules.resume(scheduleId);
   * ```
   */
  resume(scheduleId: string): Promise<void>;
  /**
   * Deletes a schedule, if it exists. The engine still delivers the messages that the schedule has made.
   *
   * @example
   * ```ts
   * await engine.schedules.delete(scheduleId);
   * ```
   */
  delete(scheduleId: string): Promise<void>;
}

export function createSchedulesApi({ call, run }: Caller): SchedulesApi {
  return {
    create: (options) =>
      run(async (service) => {
        if (Object(options).cron === undefined)
          throw new TypeError("schedules.create needs a cron expression.");
        const answer = await publish(toRequest("schedules.create", options, service), service);
        return answer as { readonly scheduleId: string };
      }),
    get: (schedule) => call(ONE.GET, { params: { schedule } }),
    list: () => call(routes["/v2/schedules"].GET),
    async pause(schedule) {
      await call(PAUSE, { params: { schedule } });
    },
    async resume(schedule) {
      await call(RESUME, { params: { schedule } });
    },
    async delete(schedule) {
      await call(ONE.DELETE, { params: { schedule } });
    },
  };
}
