import type { Server } from "node:http";
import type { Socket } from "node:net";

export interface IdleLimits {
  /** Connections without a request, at once: the one that has waited longest is closed for a new one. */
  readonly most: number;
  /** Milliseconds for the headers of a connection's first request. */
  readonly firstRequest: number;
}

/** Connections cost a file descriptor each, whoever opens them: those that say nothing are closed early, and limited in number. */
export function limitIdle(server: Server, { most, firstRequest }: IdleLimits): void {
  // In the order in which they have begun to wait.
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
