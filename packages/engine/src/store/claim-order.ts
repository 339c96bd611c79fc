import type { Message } from "../rules/message.ts";

/** A dispatcher's request for due messages. Times are in milliseconds since 1970. */
export interface ClaimOrder {
  readonly leaseUntil: number;
  readonly limit: number;
  /** The engine that delivers what is given out. */
  readonly owner?: string;
  /** How destinations share the room; without it they don't. */
  readonly destinations?: DestinationOrder;
}

/** The destinations' limits in a claim, by the names under which messages wait for them. */
export interface DestinationOrder {
  /** Lanes in which messages wait that may go on, and how many of them. */
  readonly open: ReadonlyMap<string, number>;
  /** Asked once for each message before it is given out. */
  admit(message: Pick<Message, "url" | "kind">): Admission;
}

/** Whether a message's destination has room for it. */
export type Admission =
  | { readonly kind: "admitted" }
  /** The message is set aside until its destination is among the open ones. */
  | { readonly kind: "full"; readonly destination: string };
