import { setTimeout as rest } from "node:timers/promises";
import type { Answer, Call, What } from "./history.ts";
import { TOKEN } from "./system.ts";

/** Milliseconds between a request without a good answer and its repetition. */
const PAUSE_MS = 200;

/** Sends requests to the engine, and writes each with its answer to the history. */
export class Requests {
  readonly #write: (what: What) => void;
  #ops = 0;

  constructor(write: (what: What) => void) {
    this.#write = write;
  }

  /** The number of requests so far. */
  get ops(): number {
    return this.#ops;
  }

  async ask(call: Call, request: () => Promise<Answer>): Promise<Answer> {
    const op = ++this.#ops;
    this.#write({ e: "call", op, call });
    const answer = await request().catch((error: unknown): Answer => ({ ok: false, error: String(error) }));
    this.#write({ e: "answer", op, answer });
    return answer;
  }

  /** Sends a request again until it is answered well. */
  async insist(call: Call, request: () => Promise<Answer>): Promise<void> {
    while (!(await this.ask(call, request)).ok) await rest(PAUSE_MS);
  }
}

/** Sends one request to the engine's API. */
export async function send(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, withToken(init));
  return response.ok ? { ok: true } : { ok: false, error: `${response.status} ${await response.text()}` };
}

/** Reads JSON from the engine's API, and insists on it. */
export async function read<T>(url: string): Promise<T> {
  for (;;) {
    const response = await fetch(url, withToken({ method: "GET" })).catch(() => undefined);
    if (response?.ok) return (await response.json()) as T;
    await rest(PAUSE_MS);
  }
}

function withToken({ headers, ...init }: RequestInit): RequestInit {
  return { method: "POST", ...init, headers: { Authorization: `Bearer ${TOKEN}`, ...headers } };
}
