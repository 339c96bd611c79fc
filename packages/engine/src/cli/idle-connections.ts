import type { Server } from "node:http";
import type { Socket } from "node:net";

export interface IdleLimits {
  /** The most connections without a request at once: a new one makes the server close the oldest. */
  readonly most: number;
  /** Milliseconds for the headers of a connection's first request. */
  readonly firstRequest: number;
}

/**
 * Limits the number of idle connections, and closes early those that send nothing: each connection costs a
 * file descriptor, and any client can open one.
 */
export function limitIdle(server: Server, { most, firstRequest }: IdleLimits): void {
  // A set keeps the order in which the connections became idle.
  const idle = new Set<Socket>();
  const heardOf = new WeakMap<Socket, () => void>();
  const wait = (socket: Socket): void => {
    if (socket.destroyed) return;
    idle.add(socket);
    const [longest] = idle;
    if (idle.size > most) longest?.destroy();
  };
  server.on("connection", (socket) => {
    wait(socket);
    const timer = setTimeout(() => socket.destroy(), firstRequest).unref();
    const heard = (): void => clearTimeout(timer);
    heardOf.set(socket, heard);
    socket.once("close", () => {
      heard();
      idle.delete(socket);
    });
  });

  server.on("request", ({ socket }, response) => {
    heardOf.get(socket)?.();
    idle.delete(socket);
    response.once("close", () => wait(socket));
  });
}
