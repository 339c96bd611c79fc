import type { ResolvedOptions } from "./engine-options.ts";

/** How long the engine keeps what is over, in milliseconds. */
export type Retention = ResolvedOptions["retention"];

/** Times that something must have ended after, or be from, to be kept. Milliseconds since 1970. */
export interface Expiry extends Omit<Retention, "deduplication"> {
  /** For rows that name the time of their deletion. */
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
