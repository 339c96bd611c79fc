import type { UrlGroup, UrlGroupChange, UrlGroupLimits } from "../rules/url-group.ts";
import type { MessageFilter, PageQuery } from "./lists.ts";

/** What is asked of a store about messages that wait, and about URL groups. */
export interface PublishingStore {
  /**
   * Takes back messages that are not at their end, the newest first, `count` at most. Runs that are left with nothing
   * pending are canceled.
   */
  cancelMessages(query: MessageQuery): Promise<CanceledMessages>;

  /** All URL groups, by their names. */
  urlGroups(): Promise<UrlGroup[]>;

  urlGroup(name: string): Promise<UrlGroup | undefined>;

  /**
   * Changes a URL group, or makes or deletes one.
   *
   * @returns the group as it is now; `undefined` when there is none
   * @throws EngineError `not_found` when there is none to change, 412 for one over the limits
   */
  updateUrlGroup(name: string, change: UrlGroupChange, limits: UrlGroupLimits): Promise<UrlGroup | undefined>;
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
