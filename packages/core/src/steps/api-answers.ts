// Of each provider's answers what most callers read. Whoever needs more names a type of their own.

/** What OpenAI answers to `chat.completions.create`. */
export interface ChatCompletion {
  readonly id: string;
  readonly object: "chat.completion";
  /** Unix time in seconds. */
  readonly created: number;
  readonly model: string;
  readonly choices: {
    readonly index: number;
    readonly finish_reason: "stop" | "length" | "tool_calls" | "content_filter" | "function_call";
    readonly message: {
      readonly role: "assistant";
      readonly content: string | null;
      readonly refusal: string | null;
      readonly tool_calls?: unknown;
    };
  }[];
  readonly usage?: unknown;
}

/** What Anthropic answers to `messages.create`, when it was given no tools. */
export interface AnthropicMessage {
  readonly id: string;
  readonly type: "message";
  readonly role: "assistant";
  readonly model: string;
  readonly content: { readonly type: "text"; readonly text: string }[];
  readonly stop_reason: string | null;
  readonly usage: unknown;
}

/** What Resend answers for an e-mail. */
export interface SentEmail {
  readonly id: string;
}

/** What Resend answers for a list of them. */
export interface SentEmails {
  readonly data: SentEmail[];
}
