/** The answer to one thing that was published. */
export interface Receipt {
  readonly messageId: string;
  readonly url: string;
  /** It was there already. */
  readonly deduplicated: boolean;
  readonly run: { readonly id: string; readonly createdAt: number } | undefined;
}
