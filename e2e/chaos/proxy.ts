import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Milliseconds without an answer after which the proxy gives a request up, as load balancers do. */
const TIMEOUT_MS = 5000;

/** Milliseconds for which the proxy passes over a server that didn't answer. */
const RESTS_MS = 2000;

interface Backend {
  readonly port: number;
  /** In milliseconds of `performance.now()`. */
  restsUntil: number;
}

/**
 * A load balancer: each request goes to the next server. It repeats a request only when no connection was made; otherwise its
 * client learns that the answer is lost.
 */
export class RoundRobin {
  readonly url: string;
  readonly #server: ReturnType<typeof createServer>;
  readonly #agent: Agent;

  private constructor(server: ReturnType<typeof createServer>, agent: Agent) {
    this.#server = server;
    this.#agent = agent;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(ports: readonly number[]): Promise<RoundRobin> {
    const backends = ports.map((port): Backend => ({ port, restsUntil: 0 }));
    const agent = new Agent({ keepAlive: true });
    let turn = 0;
    const server = createServer((incoming, outgoing) => {
      const from = turn++;
      const inOrder = backends.map((_, at) => backends[(from + at) % backends.length] as Backend);
      const awake = inOrder.filter(({ restsUntil }) => restsUntil < performance.now());
      forward({ incoming, outgoing, agent, backends: awake.length > 0 ? awake : inOrder });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new RoundRobin(server, agent);
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

interface Forwarded {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly agent: Agent;
  readonly backends: readonly Backend[];
}

function forward({ incoming, outgoing, agent, backends }: Forwarded): void {
  const parts: Buffer[] = [];
  incoming.on("data", (part: Buffer) => parts.push(part));
  incoming.on("end", () => send(Buffer.concat(parts), 0));
  const send = (body: Buffer, at: number): void => {
    const backend = backends[at];
    if (!backend) {
      outgoing.destroy();
      return;
    }
    const { method, url, headers } = incoming;
    const { port } = backend;
    const sent = request({ host: "127.0.0.1", port, method, path: url, headers, agent, timeout: TIMEOUT_MS });
    sent.on("response", (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
      answer.on("error", () => outgoing.destroy());
    });
    sent.on("timeout", () => sent.destroy());
    sent.on("error", (error) => {
      backend.restsUntil = performance.now() + RESTS_MS;
      if (Object(error).code === "ECONNREFUSED") send(body, at + 1);
      else outgoing.destroy();
    });
    sent.end(body);
  };
}
