import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type {
  InlineAnswers,
  InlineAppends,
  InlineEnd,
  InlineMessage,
  InlineRecord,
  InlineRequest,
  StepRecord,
  WaitBody,
} from "@perdure/core/protocol";

/** A request that the runtime or the client has sent to the engine. */
export interface Recorded {
  readonly method: string;
  /** The path with the query. */
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** An item of a batch request. */
export interface BatchItem {
  readonly destination: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
}

type Wait = Extract<InlineRequest, { readonly wait: unknown }>["wait"];

const APPEND = "/v2/workflows/append";

type Answer = { status?: number; body?: unknown; text?: string };

/** An HTTP server in an engine's place that records requests, and answers as the test configures it. */
export class Recorder {
  readonly requests: Recorded[] = [];
  /** The records and ends in the answers to inline deliveries. The test's fixture adds it. */
  readonly ends: InlineEnd[] = [];
  /** Overrides the answer to a request; undefined keeps the default. */
  answer: (request: Recorded) => Answer | undefined | Promise<Answer | undefined> = () => undefined;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<Recorder> {
    const server = createServer();
    const recorder = new Recorder(server);
    server.on("request", async (request, response) => {
      const recorded = await record(request);
      recorder.requests.push(recorded);
      const { status = 200, body, text } = (await recorder.answer(recorded)) ?? {};
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(text ?? JSON.stringify(body ?? defaultAnswer(recorded)));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return recorder;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** All messages that the endpoint has published, or asked the engine to send, in order. */
  get published(): BatchItem[] {
    const batches = this.requests.filter(({ path }) => path === "/v2/batch");
    const asked = this.#inlineRecords.flatMap((record) => ("message" in record ? [record.message] : []));
    return [...batches.flatMap(({ body }) => JSON.parse(body) as BatchItem[]), ...asked.map(toItem)];
  }

  /** The step records that the endpoint has published or appended, without the times of their work. */
  get records(): StepRecord[] {
    const batches = this.requests.filter(({ path }) => path === "/v2/batch");
    const published = batches.flatMap(({ body }) => JSON.parse(body) as BatchItem[]);
    return [
      ...published.map(({ body }) => JSON.parse(body ?? "null")),
      ...this.#inlineRecords.flatMap((record) =>
        record.kind === "attempt" ? [] : [withoutTimes(record.record)],
      ),
    ];
  }

  /** The waits for events and webhooks that the engine was asked for. */
  get waits(): Wait[] {
    const requests = this.requests.flatMap(({ path, headers, body }) => {
      const [, eventId] = /^\/v2\/wait\/([^/?]+)$/.exec(path) ?? [];
      return eventId
        ? [{ eventId: decodeURIComponent(eventId), headers, body: JSON.parse(body) as WaitBody }]
        : [];
    });
    return [...requests, ...this.#inlineRecords.flatMap((record) => ("wait" in record ? [record.wait] : []))];
  }

  get finished(): Recorded[] {
    return this.requests.filter(({ method }) => method === "DELETE");
  }

  /** The results of workflows as JSON strings, from requests and from answers. Empty for no result. */
  get returned(): string[] {
    const ends = this.ends.filter(({ end }) => end === "returned");
    return [...this.finished.map(({ body }) => body), ...ends.map(({ result = "" }) => result)];
  }

  get #inlineRecords(): InlineRecord[] {
    const appends = this.requests.filter(({ path }) => path === APPEND);
    const appended = appends.flatMap(({ body }) => (JSON.parse(body) as InlineAppends).appends);
    return [...appended, ...this.ends].flatMap(({ records }) => records);
  }

  reset(): void {
    this.requests.length = 0;
    this.ends.length = 0;
    this.answer = () => undefined;
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

async function record(request: IncomingMessage): Promise<Recorded> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
  );
  return {
    method: request.method ?? "",
    path: request.url ?? "",
    headers,
    body: Buffer.concat(chunks).toString("utf8"),
  };
}

function defaultAnswer({ method, path, body }: Recorded): unknown {
  if (path === "/v2/batch")
    return (JSON.parse(body) as unknown[]).map((_, at) => ({ messageId: `msg_out_${at}` }));
  if (path === APPEND) return appendedAll(JSON.parse(body));
  return method === "DELETE" ? {} : { error: "not here" };
}

function appendedAll({ appends }: InlineAppends): InlineAnswers {
  return { appends: appends.map(({ records }) => ({ news: records.map((_, own) => ({ own })) })) };
}

function toItem({ destination, headers, body }: InlineMessage): BatchItem {
  return { destination, headers: { ...headers }, ...(body === undefined ? {} : { body }) };
}

function withoutTimes({ startedAt: _, durationMs: __, ...record }: StepRecord): StepRecord {
  return record;
}
