import { DAY } from "./duration.ts";
import { checkNumbers, type Range } from "./numbers.ts";

/** How long what is over can still be looked at, in milliseconds. */
export interface Retention {
  /** A message that was delivered or has failed. The log tells of it for longer. */
  readonly messages: number;
  /** Each entry of the log, and a flow control key that nothing uses any more. */
  readonly logs: number;
  /** A dead letter, with its message or run. */
  readonly dlq: number;
  /** What stands for messages with the same deduplication id or content, from the time it was accepted. */
  readonly deduplication: number;
  /** A run that has ended. One that failed stays as long as its dead letter. */
  readonly runs: number;
}

const USUAL: Retention = {
  messages: 60_000,
  logs: 14 * DAY,
  dlq: 30 * DAY,
  deduplication: 600_000,
  runs: 14 * DAY,
};

const RANGES: Readonly<Record<keyof Retention, Range>> = {
  messages: "time or none",
  logs: "time or none",
  dlq: "time or none",
  deduplication: "time or none",
  runs: "time or none",
};

/** @throws TypeError that names the field */
export function toRetention(given: Partial<Retention> = {}): Retention {
  checkNumbers(given, RANGES, "retention.");
  const { messages, logs, dlq, deduplication, runs } = given;
  return {
    messages: messages ?? USUAL.messages,
    logs: logs ?? USUAL.logs,
    dlq: dlq ?? USUAL.dlq,
    deduplication: deduplication ?? USUAL.deduplication,
    runs: runs ?? USUAL.runs,
  };
}

/** What ended, or is from, these times or before is past its time. Milliseconds since 1970. */
export interface Expiry extends Omit<Retention, "deduplication"> {
  /** For what has its end written with it. */
  readonly now: number;
}

export function expiryAt(now: number, { messages, logs, dlq, runs }: Retention): Expiry {
  return {
    messages: now - messages,
    logs: now - logs,
    dlq: now - dlq,
    runs: now - runs,
    now,
  };
}
