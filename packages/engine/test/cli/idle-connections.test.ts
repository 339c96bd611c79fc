import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type IdleLimits, limitIdle } from "../../src/cli/idle-connections.ts";

const REQUEST = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

describe("connections to the engine", () => {
  let server: Server;
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    server.close();
  });

  async function listen(limits: IdleLimits, answer = true): Promise<() => Promise<Socket>> {
    server = createServer((_request, response) => answer && response.end("ok"));
    limitIdle(server, limits);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    return async () => {
      const arrived = once(server, "connection");
      const socket = connect(port, "127.0.0.1").on("error", () => {});
      sockets.push(socket);
      await arrived;
      return socket;
    };
  }
  const closed = (socket: Socket): Promise<unknown> => once(socket.resume(), "close");
  const ask = async (socket: Socket): Promise<void> => {
    socket.write(REQUEST);
    await once(socket, "data");
  };

  it("that say nothing, or not all of a request's headers, are closed soon", async () => {
    const open = await listen({ most: 9, firstRequest: 30 });
    const [silent, slow] = [await open(), await open()];
    slow.write("GET / HTTP/1.1\r\nHost:");
    await Promise.all([closed(silent), closed(slow)]);
  });

  it("that have said something are kept, and so are those that wait for an answer", async () => {
    const open = await listen({ most: 9, firstRequest: 30 });
    const kept = await open();
    await ask(kept);
    await closed(await open());
    await ask(kept);
  });

  it("that are idle are as many as there may be: the longest idle one makes room for a new one", async () => {
    const open = await listen({ most: 2, firstRequest: 60_000 });
    const used = await open();
    const silent = await open();
    // It is the latest to be idle now.
    await ask(used);
    const gone = closed(silent);
    const third = await open();
    await gone;
    await ask(used);
    await ask(third);
    expect([used.destroyed, third.destroyed]).toEqual([false, false]);
  });

  it("that wait for an answer aren't idle", async () => {
    const open = await listen({ most: 1, firstRequest: 60_000 }, false);
    const asking = await open();
    const arrived = once(server, "request");
    asking.write(REQUEST);
    await arrived;
    const second = await open();
    const gone = closed(second);
    await open();
    await gone;
    expect(asking.destroyed).toBe(false);
  });
});
