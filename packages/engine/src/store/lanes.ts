import type { Message } from "../rules/message.ts";

/** What is asked of a store that is to give out work. Times in milliseconds since 1970. */
export interface ClaimOrder {
  readonly leaseUntil: number;
  readonly limit: number;
  /** The engine that delivers what is given out. */
  readonly owner?: string;
  /** How destinations share the room; without it they don't. */
  readonly lanes?: LaneOrder;
}

/** What a claim has to know of destinations. A lane is a destination's place to wait, by any name. */
export interface LaneOrder {
  /** Lanes in which messages wait that may go on, and how many of them. */
  readonly open: ReadonlyMap<string, number>;
  /** Asked once for each message before it is given out. */
  board(message: Pick<Message, "url" | "purpose">): Boarding;
}

/** Whether a message's destination has room for it. */
export type Boarding =
  | { readonly kind: "boarded" }
  /** The message is set aside until its lane is among the open ones. */
  | { readonly kind: "full"; readonly lane: string };
