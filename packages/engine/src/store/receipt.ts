/** The answer to a request to publish one message. */
export interface Receipt {
  readonly messageId: string;
  readonly url: string;
  /** True when the request repeats an earlier one: then this is the earlier request's receipt. */
  readonly deduplicated: boolean;
  readonly run: { readonly id: string; readonly createdAt: number } | undefined;
}
