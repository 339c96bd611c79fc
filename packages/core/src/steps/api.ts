import type { CallRequest } from "../protocol/call.ts";
import { checkNonEmptyString, mustBe } from "../util/check.ts";
import { type CallResponse, call } from "./call.ts";
import { type Step, serialize } from "./step.ts";

/** Options that the calls of all providers share. */
type Options = Omit<CallRequest, "url" | "body">;

export interface OpenAISettings<Body = unknown> extends Options {
  readonly token: string;
  readonly organization?: string;
  /** Base URL of another service with the same API. */
  readonly baseURL?: string;
  readonly operation: "chat.completions.create";
  readonly body: Body;
}

export interface AnthropicSettings<Body = unknown> extends Options {
  readonly token: string;
  readonly operation: "messages.create";
  readonly body: Body;
}

export interface ResendSettings<Body = unknown, Batch extends boolean = boolean> extends Options {
  readonly token: string;
  /** Sends a list of e-mails. */
  readonly batch?: Batch;
  readonly body: Body;
}

export function openai<Result>(name: string, settings: OpenAISettings): Step<CallResponse<Result>> {
  const { organization, baseURL = "https://api.openai.com", operation, ...options } = settings;
  checkNonEmptyString("baseURL", baseURL);
  checkOperation(operation, "chat.completions.create");
  const root = baseURL.replace(/\/+$/, "").replace(/(?:\/v1)?(?:\/chat\/completions)?$/, "");
  return post(name, `${root}/v1/chat/completions`, options, {
    Authorization: `Bearer ${settings.token}`,
    ...(organization ? { "OpenAI-Organization": organization } : {}),
  });
}

export function anthropic<Result>(name: string, settings: AnthropicSettings): Step<CallResponse<Result>> {
  const { operation, ...options } = settings;
  checkOperation(operation, "messages.create");
  const headers = { "X-Api-Key": settings.token, "Anthropic-Version": "2023-06-01" };
  return post(name, "https://api.anthropic.com/v1/messages", options, headers);
}

export function resend<Result>(name: string, settings: ResendSettings): Step<CallResponse<Result>> {
  const { batch = false, ...options } = settings;
  const url = `https://api.resend.com/emails${batch ? "/batch" : ""}`;
  return post(name, url, options, { Authorization: `Bearer ${settings.token}` });
}

function post<Result>(
  name: string,
  url: string,
  { token, body, method = "POST", ...options }: Options & { readonly token: string; readonly body: unknown },
  own: Record<string, string>,
): Step<CallResponse<Result>> {
  checkNonEmptyString("token", token);
  const text = serialize(body, `The body of step "${name}"`);
  return call(name, { ...options, url, method, body: text }, { "Content-Type": "application/json", ...own });
}

function checkOperation(given: string, known: string): void {
  if (given !== known) throw mustBe("operation", `"${known}"`, given);
}
