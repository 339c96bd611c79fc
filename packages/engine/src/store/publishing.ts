import type { Topic, TopicChange, TopicLimits } from "../rules/topic.ts";
import type { MessageFilter, PageQuery } from "./lists.ts";

/** What is asked of a store about messages that wait, and about URL groups. */
export interface PublishingStore {
  /**
   * Takes back messages that are not at their end, the newest first, `count` at most. Runs that are left with nothing
   * pending are canceled.
   */
  cancelMessages(query: MessageQuery): Promise<CanceledMessages>;

  /** All URL groups, by their names. */
  topics(): Promise<Topic[]>;

  topic(name: string): Promise<Topic | undefined>;

  /**
   * Changes a URL group, or makes or deletes one.
   *
   * @returns the group as it is now; `undefined` when there is none
   * @throws Problem 404 when there is none to change, 412 for one over the limits
   */
  updateTopic(name: string, change: TopicChange, limits: TopicLimits): Promise<Topic | undefined>;
}

/** Filters of messages that are not at their end. Within a list any one may match; all that are given must match. */
export interface MessageQuery extends MessageFilter, PageQuery {
  readonly hosts?: readonly string[] | undefined;
  readonly paths?: readonly string[] | undefined;
}

export interface CanceledMessages {
  readonly canceled: number;
  /** What to ask for to go on: absent when none is left. */
  readonly next: number | undefined;
}
