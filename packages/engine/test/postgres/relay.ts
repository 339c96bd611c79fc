import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";

/** A relay in front of a PostgreSQL server: frozen, it takes connections and bytes, and passes nothing on. */
export interface Relay {
  /** The URL of the database behind it. */
  readonly url: string;
  freeze(on: boolean): void;
  /** Ends all connections, and leads new ones to another server. @param database a URL of that server */
  turnTo(database: string): void;
  /** Ends all connections. The server notices that when it answers next. */
  cut(): void;
  stop(): Promise<void>;
}

/**
 * Starts a relay on a free port.
 *
 * @param database the URL of a database
 * @param onSent gets what clients send, as it comes
 */
export async function startRelay(database: string, onSent?: (sent: Buffer) => void): Promise<Relay> {
  let target = new URL(database);
  const sockets = new Set<Socket>();
  let frozen = false;
  const server = createServer((client) => {
    const behind = connect(Number(target.port), target.hostname);
    client.pipe(behind).pipe(client);
    if (onSent) client.on("data", onSent);
    for (const socket of [client, behind]) {
      sockets.add(socket);
      if (frozen) socket.pause();
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        for (const other of [client, behind]) other.destroy();
      });
    }
  });
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(database);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    freeze(on) {
      frozen = on;
      for (const socket of sockets) {
        if (on) socket.pause();
        else socket.resume();
      }
    },
    turnTo(other) {
      target = new URL(other);
      cut();
    },
    cut,
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
