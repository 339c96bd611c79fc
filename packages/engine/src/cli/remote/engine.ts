import { userInfo } from "node:os";
import { Client } from "@perdure/core";
import { DEV_CREDENTIALS, PERSON_HEADER, readVariable } from "@perdure/core/protocol";
import { reasonOf } from "../../rules/thrown.ts";
import type { Env } from "../settings.ts";
import { CommandError, EXIT } from "./command-error.ts";

/** The flags that choose an engine. */
export interface EngineFlags {
  readonly url?: string;
  readonly token?: string;
}

/** Values of a query; the request leaves out undefined ones, and repeats the name for each value of a list. */
export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** Everything of a request but its method and path. */
export interface RequestDetails {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, in place of `body`. */
  readonly text?: string;
}

/** Milliseconds until a request without an answer counts as failed. */
const ANSWER_TIMEOUT_MS = 30_000;

/** The engine that a command asks. */
export class RemoteEngine {
  readonly url: string;
  /** For what the client of workflows can do. */
  readonly client: Client;
  readonly #token: string;
  /** The person who uses the command, for the audit log. */
  readonly #person: string;

  /**
   * Chooses the engine: flags win over `PERDURE_URL` and `PERDURE_TOKEN`, they over `QSTASH_URL` and
   * `QSTASH_TOKEN`. The default is `perdure dev` on the port of `PERDURE_DEV_PORT` or 8080, with its public token.
   *
   * @throws CommandError for a URL that isn't one, and without a token for an engine that isn't `perdure dev`
   */
  constructor(flags: EngineFlags, env: Env) {
    const url = flags.url || env.PERDURE_URL || env.QSTASH_URL;
    const token = flags.token || env.PERDURE_TOKEN || env.QSTASH_TOKEN;
    const port = readVariable(env, "PERDURE_DEV_PORT").value ?? DEV_CREDENTIALS.port;
    if (!url && !/^\d{1,5}$/.test(String(port)))
      throw new CommandError(EXIT.usage, `PERDURE_DEV_PORT must be a number from 0 to 65535; got "${port}".`);
    const dev = `http://127.0.0.1:${port}`;
    if (url && !/^https?:\/\/./.test(URL.parse(url)?.href ?? ""))
      throw new CommandError(
        EXIT.usage,
        `The engine's URL must begin with http:// or https://; got "${url}".`,
      );
    if (url && !token && !isLoopbackUrl(url))
      throw new CommandError(
        EXIT.usage,
        `There is no token for ${url}. Give one with --token, or set PERDURE_TOKEN.`,
      );
    this.url = (url || dev).replace(/\/+$/, "");
    this.#token = token || DEV_CREDENTIALS.token;
    const person = env.PERDURE_USER || loginName();
    this.#person = encodeURIComponent(person);
    const devMode = this.#token === DEV_CREDENTIALS.token;
    this.client = new Client({ baseUrl: this.url, token: this.#token, devMode });
  }

  /**
   * Sends a request to the engine's API, and returns the JSON of its answer.
   *
   * @param path below `/v2`; encoded
   * @throws CommandError when the engine refuses it or doesn't answer
   */
  async request<Answer = unknown>(
    method: string,
    path: string,
    details: RequestDetails = {},
  ): Promise<Answer> {
    const response = await this.open(method, path, details, AbortSignal.timeout(ANSWER_TIMEOUT_MS));
    try {
      const text = await response.text();
      const answer: unknown = text === "" ? undefined : JSON.parse(text);
      if (answer === undefined || Object(answer) === answer) return answer as Answer;
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw this.#unreachable(cause);
    }
    throw new CommandError(
      EXIT.unreachable,
      `The server at ${this.url} is no Perdure engine: its answer to ${method} /v2/${path} isn't JSON. Name the engine with --url, or set PERDURE_URL.`,
    );
  }

  /**
   * Sends a request, and returns the answer with its body unread.
   *
   * @throws CommandError when the engine refuses it or doesn't answer
   */
  async open(
    method: string,
    path: string,
    { query = {}, body, text = body === undefined ? undefined : JSON.stringify(body) }: RequestDetails,
    signal: AbortSignal,
  ): Promise<Response> {
    // A URL drops such a segment, so that the request would ask for something else.
    const [, , dots] = /(^|\/)(\.\.?)(?=\/|$)/.exec(path) ?? [];
    if (dots !== undefined) throw new CommandError(EXIT.usage, `A name or an id can't be "${dots}".`);
    const url = new URL(`${this.url}/v2/${path}`);
    for (const [name, value] of Object.entries(query))
      for (const one of [value].flat()) if (one !== undefined) url.searchParams.append(name, String(one));
    const headers = new Headers({ Authorization: `Bearer ${this.#token}`, [PERSON_HEADER]: this.#person });
    if (body !== undefined) headers.set("Content-Type", "application/json");
    const init = { method, headers, signal, redirect: "error" as const };
    const response = await fetch(url, text === undefined ? init : { ...init, body: text }).catch(
      (cause: unknown) => {
        throw signal.aborted && signal.reason?.name !== "TimeoutError" ? cause : this.#unreachable(cause);
      },
    );
    if (response.ok) return response;
    throw await this.#refused(response);
  }

  /** The error for an answer that isn't a success: of the engine, or of another server at its address. */
  async #refused(response: Response): Promise<CommandError> {
    const { status, statusText } = response;
    const text = await response.text();
    const reason = engineErrorIn(text);
    if (reason !== undefined) {
      const hint = status === 401 ? ". Give its token with --token, or set PERDURE_TOKEN." : "";
      return new CommandError(
        status === 404 ? EXIT.notFound : EXIT.failed,
        `The engine at ${this.url} answers ${status}: ${reason}${hint}`,
      );
    }
    const answer = `${status} ${text.slice(0, 200) || statusText}`;
    // A proxy whose engine is away.
    if (status >= 500) {
      const message = `No engine answers at ${this.url}: a server before it answers ${answer}`;
      return new CommandError(EXIT.unreachable, message);
    }
    return new CommandError(
      EXIT.unreachable,
      `The server at ${this.url} is no Perdure engine: it answers ${answer}. Name the engine with --url, or set PERDURE_URL.`,
    );
  }

  #unreachable(cause: unknown): CommandError {
    const inner = (cause as Error).cause ?? cause;
    const reason = Object(inner).code === "ECONNREFUSED" ? "connection refused" : reasonOf(inner);
    return new CommandError(
      EXIT.unreachable,
      `No engine answers at ${this.url}: ${reason}. Start one with "npx perdure dev", or name another with --url.`,
      { cause },
    );
  }
}

/** The name of the system's user; empty for a user without a name. */
function loginName(): string {
  try {
    return userInfo().username;
  } catch {
    return "";
  }
}

function isLoopbackUrl(url: string): boolean {
  return /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(url).hostname);
}

/** The sentence of an engine's error, which is all of its JSON; undefined for the answer of another server. */
function engineErrorIn(text: string): string | undefined {
  try {
    const { error, message } = Object(JSON.parse(text)) as { error?: unknown; message?: unknown };
    return typeof error === "string" && message === undefined ? error : undefined;
  } catch {
    return undefined;
  }
}
