import { toBase64Url } from "../util/bytes.ts";
import { mustBe } from "../util/check.ts";

const RUN = "wfr_";
const MESSAGE = "msg_";

/**
 * Creates a random string from the platform's secure source: 6 bits per character, 126 in all by default. It needs no escaping
 * in JSON, URLs and headers.
 *
 * @example
 * ```ts
 * const triggerId = randomId(); // for example "Uakgb_J5m9g-0JDMbcJqL"
 * ```
 */
export function randomId(length = 21): string {
  return toBase64Url(randomBytes(length)).slice(0, length);
}

/** Bytes for several ids: asking the platform for each id costs as much as the rest of a step. */
const pool = new Uint8Array(1024);
let used = pool.length;

function randomBytes(length: number): Uint8Array {
  if (used + length > pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  used += length;
  return pool.subarray(used - length, used);
}

/**
 * Creates a run's id: `wfr_` and a name, which is random by default.
 *
 * @throws TypeError for a name that doesn't fit into a filter or a header
 * @example
 * ```ts
 * toRunId("order-7"); // "wfr_order-7"
 * ```
 */
export function toRunId(name: string = randomId()): string {
  if (typeof name !== "string" || !/^[!-+\--~]{1,508}$/.test(name))
    throw mustBe("workflowRunId", "1 to 508 visible ASCII characters without a comma", name);
  return RUN + name;
}

/**
 * True for the id of a run that {@link toRunId} creates.
 *
 * @example
 * ```ts
 * isRunId("wfr_order-7"); // true
 * ```
 */
export function isRunId(id: string): boolean {
  return id.startsWith(RUN);
}

/**
 * True for the id of a run that an endpoint has named after the message that starts it.
 *
 * @example
 * ```ts
 * isMessageRunId(toRunId(newMessageId())); // true
 * ```
 */
export function isMessageRunId(runId: string): boolean {
  return runId.startsWith(RUN + MESSAGE);
}

/**
 * Creates a random id for a message.
 *
 * @example
 * ```ts
 * const messageId = newMessageId(); // "msg_" and 21 characters
 * ```
 */
export function newMessageId(): string {
  return MESSAGE + randomId();
}

/**
 * Creates a random id for a schedule.
 *
 * @example
 * ```ts
 * const scheduleId = newScheduleId(); // "scd_" and 21 characters
 * ```
 */
export function newScheduleId(): string {
  return `scd_${randomId()}`;
}
