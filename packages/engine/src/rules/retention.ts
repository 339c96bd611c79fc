import type { ResolvedOptions } from "./engine-options.ts";

/** The times for which the engine keeps ended objects, in milliseconds. */
export type Retention = ResolvedOptions["retention"];

/** The engine deletes objects that ended, or were created, before these times. Milliseconds since 1970. */
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
