import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A request to the engine, as it came over the wire. */
export interface Recorded {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface ScriptedAnswer {
  readonly status?: number;
  readonly body?: unknown;
}

/** What the engine answers in a scenario; undefined where the usual answer will do. */
export type Script = (request: Recorded) => ScriptedAnswer | undefined;

/** A real HTTP server in the engine's place. It remembers what it is sent and plays the answers of a script. */
export class Recorder {
  readonly #server: Server;
  #requests: Recorded[] = [];
  #script: Script = () => undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<Recorder> {
    const server = createServer();
    const recorder = new Recorder(server);
    server.on("request", async (request, response) => {
      const recorded = await record(request);
      recorder.#requests.push(recorded);
      const { status = 200, body = usualAnswer(recorded) } = recorder.#script(recorded) ?? {};
      response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return recorder;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  play(script: Script | undefined): void {
    this.#requests = [];
    this.#script = script ?? (() => undefined);
  }

  /** What came since the last time it was asked for. */
  take(): Recorded[] {
    const taken = this.#requests;
    this.#requests = [];
    return taken;
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

async function record(request: IncomingMessage): Promise<Recorded> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return {
    method: request.method ?? "",
    path: request.url ?? "",
    headers: Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    ),
    body: Buffer.concat(chunks).toString("utf8"),
  };
}

function usualAnswer({ method, path, body }: Recorded): unknown {
  if (path === "/v2/batch")
    return (JSON.parse(body) as unknown[]).map((_, at) => ({ messageId: `msg_out_${at}` }));
  if (path.startsWith("/v2/publish/")) return { messageId: "msg_out" };
  if (path.startsWith("/v2/notify/")) return [];
  return method === "GET" ? [] : {};
}
