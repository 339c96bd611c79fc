// The fields of each provider's answers that most callers read. For more, pass a type argument to `call`.

/** OpenAI's answer to `chat.completions.create`. */
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

/** Anthropic's answer to `messages.create` without tools. */
export interface AnthropicMessage {
  readonly id: string;
  readonly type: "message";
  readonly role: "assistant";
  readonly model: string;
  readonly content: { readonly type: "text"; readonly text: string }[];
  readonly stop_reason: string | null;
  readonly usage: unknown;
}

/** Resend's answer for one e-mail. */
export interface SentEmail {
  readonly id: string;
}

/** Resend's answer for a list of e-mails. */
export interface SentEmails {
  readonly data: SentEmail[];
}
