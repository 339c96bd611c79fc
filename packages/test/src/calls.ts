import { checkOptions } from "@perdure/core/protocol";
import { checkWhole } from "./options.ts";

/** An HTTP request that the engine has made for `context.call`, or for a report to another address. */
export interface TestCall {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The body as a string; empty for none. */
  readonly body: string;
  /** By the test's clock, in milliseconds since 1970. */
  readonly at: number;
  /** The status of the answer; undefined when there was none. */
  readonly status: number | undefined;
}

/** The answer to a mocked call. */
export type CallReply =
  | {
      /** Default: 200. */
      readonly status?: number;
      /** A string is sent as it is, everything else as JSON. Default: no body. */
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The connection fails with this error. */
  | { readonly error: unknown }
  /** There is no answer. */
  | { readonly timeout: true };

/** An answer, or a function that makes one from the request. */
export type CallAnswer =
  | CallReply
  | ((call: TestCall) => CallReply | Response | Promise<CallReply | Response>);

/** Limits of a mocked call. */
export interface MockCallOptions {
  /** The number of requests with this answer. Later ones get the next mock. Default: all. */
  readonly times?: number;
  /** Default: any method. */
  readonly method?: string;
}

interface CallMock extends MockCallOptions {
  readonly url: string | RegExp;
  readonly reply: CallAnswer;
  used: number;
}

/** The calls to other servers, none of which leaves the process. */
export class Calls {
  readonly made: TestCall[] = [];
  readonly #mocks: CallMock[] = [];
  readonly #now: () => number;
  readonly #fail: (error: Error) => void;

  /** @param fail ends the test's waits: a call has no mock */
  constructor(now: () => number, fail: (error: Error) => void) {
    this.#now = now;
    this.#fail = fail;
  }

  mock(url: string | URL | RegExp, reply: CallAnswer, options: MockCallOptions): void {
    if (typeof reply !== "function") checkReply(reply, url);
    checkOptions<MockCallOptions, "times method">("mockCall", options, "times method");
    checkWhole("times", options.times, 1);
    this.#mocks.push({ ...options, url: url instanceof RegExp ? url : new URL(url).href, reply, used: 0 });
  }

  get complaints(): string[] {
    return this.#mocks
      .filter(({ used, times }) => used === 0 || used < (times ?? used))
      .map(
        ({ url, used, times }) =>
          `the mock of calls to ${url} was used ${used} of ${times ?? "at least 1"} times`,
      );
  }

  /** Answers a request. @throws Error when there is no answer */
  async answer(request: Request): Promise<Response> {
    const { method, url } = request;
    const call = {
      method,
      url,
      headers: Object.fromEntries(request.headers),
      body: await request.text(),
      at: this.#now(),
      status: undefined as number | undefined,
    };
    this.made.push(call);
    const mock = this.#find(call);
    if (!mock) throw this.#unmocked(call);
    mock.used++;
    const reply = typeof mock.reply === "function" ? await mock.reply(call) : mock.reply;
    const response = toResponse(reply, url);
    call.status = response.status;
    return response;
  }

  #find({ url, method }: TestCall): CallMock | undefined {
    return this.#mocks.find(
      (mock) =>
        mock.used < (mock.times ?? Number.POSITIVE_INFINITY) &&
        (mock.method ?? method).toUpperCase() === method &&
        (typeof mock.url === "string" ? mock.url === url : url.search(mock.url) !== -1),
    );
  }

  #unmocked({ method, url }: TestCall): Error {
    const mocks = this.#mocks.map((mock) => `${mock.method ?? "any"} ${mock.url} (used ${mock.used} times)`);
    const known = mocks.length > 0 ? ` Mocked: ${mocks.join(", ")}.` : "";
    const error = new Error(
      `No mock answers ${method} ${url}. Add one before the run reaches it: t.mockCall(${JSON.stringify(url)}, { body: … }).${known}`,
    );
    this.#fail(error);
    return error;
  }
}

/** @throws TypeError for an answer with an unknown name, such as `result` */
function checkReply(reply: CallReply, url: unknown): void {
  const names = "status body headers error timeout";
  checkOptions<AnyReply, typeof names>(`the mock of calls to ${url}`, reply, names);
}

type AnyReply = Partial<Record<"status" | "body" | "headers" | "error" | "timeout", unknown>>;

function toResponse(reply: CallReply | Response, url: string): Response {
  if (reply instanceof Response) return reply.clone();
  if ("error" in reply) throw reply.error;
  if ("timeout" in reply) throw new Error(`${url} gave no answer in time (a mock of the test).`);
  const { status = 200, body, headers } = reply as Extract<CallReply, { status?: number }>;
  const isText = typeof body === "string" || body === undefined;
  return new Response(isText ? (body ?? null) : JSON.stringify(body), {
    status,
    headers: { ...(isText ? {} : { "Content-Type": "application/json" }), ...headers },
  });
}
