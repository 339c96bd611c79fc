import type { Message } from "../rules/message.ts";

/** A dispatcher's request for due messages. Times are in milliseconds since 1970. */
export interface ClaimOrder {
  readonly leaseUntil: number;
  readonly limit: number;
  /** The engine that delivers the claimed messages. */
  readonly owner?: string;
  /** The limits of destinations. Without them no destination holds a message back. */
  readonly destinations?: DestinationOrder;
}

/** The limits of destinations in a claim, by the names under which messages wait for them. */
export interface DestinationOrder {
  /** The destinations with free slots for messages that wait, and how many free slots each one has. */
  readonly open: ReadonlyMap<string, number>;
  /** Called once for each message, before the claim gives it out. */
  admit(message: Pick<Message, "url" | "kind">): Admission;
}

/** Whether a message's destination has room for it. */
export type Admission =
  | { readonly kind: "admitted" }
  /** The message waits until its destination is among the open ones. */
  | { readonly kind: "full"; readonly destination: string };
