import { signal } from "@preact/signals";
import { BASE } from "../base.ts";

/** An answer of the engine that isn't a success. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Counts up when an answer says that the session is over. */
export const loggedOut = signal(0);

export interface Ask {
  readonly method?: string;
  /** Sent as JSON, or as it is when it is a string. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** The header by which the server knows its own page. */
const PAGE = { "Perdure-Dashboard": "1" };

/** Sends a request to the engine's API. @throws ApiError for an answer that isn't a success */
export async function ask<Answer>(target: string, options: Ask = {}): Promise<Answer> {
  const answer = await send(`/api${target}`, options);
  return (await answer.json()) as Answer;
}

/** Like {@link ask}, for any path of the dashboard, and with the response itself. */
export async function send(
  target: string,
  { method = "GET", body, headers, signal }: Ask,
): Promise<Response> {
  const answer = await fetch(BASE + target, {
    method,
    credentials: "same-origin",
    headers: { ...PAGE, ...(body === undefined || typeof body === "string" ? {} : JSON_TYPE), ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    ...(signal ? { signal } : {}),
  }).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "The engine can't be reached. Is it running?");
  });
  if (answer.ok) return answer;
  if (answer.status === 401 && !target.startsWith("/session")) loggedOut.value++;
  throw new ApiError(answer.status, await reasonOf(answer));
}

const JSON_TYPE = { "Content-Type": "application/json" };

async function reasonOf(answer: Response): Promise<string> {
  const text = await answer.text();
  try {
    return String((JSON.parse(text) as { error?: unknown }).error ?? text);
  } catch {
    return text || `the engine answered with status ${answer.status}`;
  }
}

type Values = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** Returns a query of these values, without those that are undefined. */
export function queryOf(values: Values): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of value === undefined ? [] : [value].flat()) query.append(name, String(one));
  }
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}
