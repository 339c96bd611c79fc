import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** A request, as it came over the wire. */
export interface Asked {
  /** `POST / HTTP/1.1` */
  readonly line: string;
  /** Names as they were written. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
  readonly socket: Socket;
  /** Which of the server's connections it came by, from 0. */
  readonly connection: number;
}

/** What a server writes, to the byte; or nothing, and then it does with the socket what it likes. */
export type Answerer = (asked: Asked) => string | undefined;

/** A server that shows what HTTP libraries tidy away. */
export interface WireServer {
  readonly port: number;
  readonly url: string;
  readonly asked: Asked[];
  /** Connections that are open. */
  readonly open: Set<Socket>;
  close(): Promise<void>;
}

export const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

export async function serveWire(answer: Answerer = () => OK, host = "127.0.0.1"): Promise<WireServer> {
  const asked: Asked[] = [];
  const open = new Set<Socket>();
  let connections = 0;
  const server: Server = createServer((socket) => {
    const connection = connections++;
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => {});
    readRequests(socket, (request) => {
      const one = { ...request, socket, connection };
      asked.push(one);
      const text = answer(one);
      if (text !== undefined) socket.write(Buffer.from(text, "latin1"));
    });
  });
  server.listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    asked,
    open,
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

/** As much of HTTP as is to be expected: a body is announced by its length. */
function readRequests(
  socket: Socket,
  take: (request: Pick<Asked, "line" | "headers" | "body">) => void,
): void {
  let rest = Buffer.alloc(0);
  socket.on("data", (part) => {
    rest = Buffer.concat([rest, part]);
    for (;;) {
      const end = rest.indexOf("\r\n\r\n");
      if (end < 0) return;
      const [line = "", ...lines] = rest.subarray(0, end).toString("latin1").split("\r\n");
      const headers = lines.map((text): [string, string] => {
        const [name = "", ...value] = text.split(": ");
        return [name, value.join(": ")];
      });
      const length = Number(headers.find(([name]) => name.toLowerCase() === "content-length")?.[1] ?? 0);
      const body = rest.subarray(end + 4, end + 4 + length);
      if (body.length < length) return;
      rest = rest.subarray(end + 4 + length);
      take({ line, headers, body });
    }
  });
}
