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

/** A run's own deliveries aren't logged one by one: its run log tells of each, and every step would pay for it. */
export function isLogged(kind: MessageKind): boolean {
  return kind !== "step" && kind !== "answer";
}
