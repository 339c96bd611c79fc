/** The answer to a request to publish one message. */
export interface Receipt {
  readonly messageId: string;
  readonly url: string;
  /** True when the request repeats an earlier one: then the receipt is that one's. */
  readonly deduplicated: boolean;
  readonly run: { readonly id: string; readonly createdAt: number } | undefined;
}
