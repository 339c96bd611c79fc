import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { StepRecord } from "@perdure/core/protocol";

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

type Answer = { status?: number; body?: unknown; text?: string };

/** An HTTP server in an engine's place that records requests, and answers as the test configures it. */
export class Recorder {
  readonly requests: Recorded[] = [];
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

  /** All published messages, in order. */
  get published(): BatchItem[] {
    return this.requests.filter(({ path }) => path === "/v2/batch").flatMap(({ body }) => JSON.parse(body));
  }

  /** The published step records. */
  get records(): StepRecord[] {
    return this.published.map(({ body }) => JSON.parse(body ?? "null"));
  }

  get finished(): Recorded[] {
    return this.requests.filter(({ method }) => method === "DELETE");
  }

  reset(): void {
    this.requests.length = 0;
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
  return method === "DELETE" ? {} : { error: "not here" };
}
