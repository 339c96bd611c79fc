import type { MessageKind } from "./message.ts";

/** The states of a message in the log. */
export const LOG_STATES = [
  "CREATED",
  "ACTIVE",
  "RETRY",
  "ERROR",
  "DELIVERED",
  "FAILED",
  "CANCEL_REQUESTED",
  "CANCELLED",
] as const;

export type LogState = (typeof LOG_STATES)[number];

/**
 * Returns true if the log has entries for a message. The run log shows a run's own deliveries, so that not
 * every step pays for the log.
 */
export function isLogged(kind: MessageKind): boolean {
  return kind !== "step" && kind !== "answer";
}
