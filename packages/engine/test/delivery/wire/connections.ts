import type { LookupFunction, Socket } from "node:net";
import { describe, expect, it } from "vitest";
import type { Reply } from "../../../src/rules/message.ts";
import { rejection, request, resolver, text, until, useKit } from "./kit.ts";
import { OK } from "./server.ts";

const HERE = resolver(() => ["127.0.0.1"]);

/** How connections are used, and left. */
export function connections(): void {
  describe("a connection", () => {
    const kit = useKit();

    it("is used again, and for one request at a time", async () => {
      const server = await kit.serve(({ socket }) => void setTimeout(() => socket.write(OK), 5));
      const pool = kit.pool();
      const send = (): Promise<unknown> => pool.send(request(server.url, { body: "x" }));
      await send();
      await send();
      expect(server.asked.map(({ connection }) => connection)).toEqual([0, 0]);
      await Promise.all([send(), send(), send()]);
      expect(new Set(server.asked.slice(2).map(({ connection }) => connection)).size).toBe(3);
    });

    it("that the server has closed isn't one, however late we hear of it", async () => {
      const server = await kit.serve();
      const pool = kit.pool();
      for (let time = 0; time < 5; time++) {
        await pool.send(request(server.url, { body: "x" }));
        for (const { socket } of server.asked) socket.destroy();
        // Nothing is heard of it meanwhile: as when a process is busy with something else.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30);
        expect(await pool.send(request(server.url, { body: "x" }))).toMatchObject({ status: 200 });
      }
      expect(server.asked).toHaveLength(10);
    });

    /** A server that answers the first request of a connection, and does this to the others. */
    const serveOnce = (then: (socket: Socket) => void) => {
      const used = new Set<number>();
      return kit.serve(({ socket, connection }) => {
        if (used.has(connection)) return void then(socket);
        used.add(connection);
        return OK;
      });
    };

    it("that ends when it is used again has its request sent anew, whatever its method", async () => {
      const server = await serveOnce((socket) => socket.destroy());
      const pool = kit.pool({ lookup: HERE });
      const ask = (method: string): Promise<Reply> =>
        pool.send(request(`http://name.test:${server.port}/`, { method, body: "x" }));
      for (const method of ["GET", "PUT", "DELETE", "POST", "PATCH"]) {
        await ask("POST");
        server.asked.length = 0;
        expect(await ask(method)).toMatchObject({ status: 200 });
        expect(server.asked.map(({ line, body }) => `${line} ${body}`)).toEqual(
          Array(2).fill(`${method} / HTTP/1.1 x`),
        );
      }
    });

    it.each<[string, (socket: Socket) => void]>([
      ["has been at work with it", (socket) => void setTimeout(() => socket.destroy(), 150)],
      ["has begun to answer", (socket) => void socket.end("HTTP/1.1 200 OK\r\nContent-Le")],
    ])("isn't given up for a new one when the server %s", async (_name, then) => {
      const server = await serveOnce(then);
      const pool = kit.pool({ stale: 75 });
      await pool.send(request(server.url));
      await rejection(pool.send(request(server.url)));
      expect(server.asked).toHaveLength(2);
    });

    it("serves a server that closes each without a word", async () => {
      const server = await kit.serve(({ socket }) => void socket.end(OK));
      const pool = kit.pool();
      const send = async (): Promise<void> => {
        for (let time = 0; time < 20; time++) {
          expect(await pool.send(request(server.url, { body: "x" }))).toMatchObject({ status: 200 });
        }
      };
      await Promise.all(Array.from({ length: 10 }, send));
    });

    it("that fails at once is no reason to send anything again", async () => {
      const server = await kit.serve(({ socket }) => void socket.destroy());
      await rejection(kit.pool().send(request(server.url, { method: "GET" })));
      expect(server.asked).toHaveLength(1);
    });

    it("is closed when nothing goes over it for a while, and not while something is under way", async () => {
      const waiting: (() => void)[] = [];
      const server = await kit.serve(({ socket, line }) => {
        if (!line.includes("/slow")) return OK;
        waiting.push(() => socket.write(OK));
        return undefined;
      });
      const pool = kit.pool({ idle: 50 });
      const slow = pool.send(request(`${server.url}/slow`));
      await until(() => waiting.length === 1);
      await pool.send(request(server.url));
      expect(server.open.size).toBe(2);
      await until(() => server.open.size === 1);
      await new Promise((resolve) => setTimeout(resolve, 100));
      for (const answer of waiting) answer();
      expect(text((await slow).body)).toBe("ok");
      await until(() => server.open.size === 0);
    });

    it("isn't kept for each of any number of destinations", async () => {
      const server = await kit.serve();
      const pool = kit.pool({ lookup: HERE, kept: 8, idle: 60_000 });
      const send = (name: number): Promise<unknown> =>
        pool.send(request(`http://host${name}.test:${server.port}/`));
      for (let group = 0; group < 20; group++)
        await Promise.all(Array.from({ length: 10 }, (_, at) => send(group * 10 + at)));
      expect(server.asked).toHaveLength(200);
      await until(() => server.open.size <= 8);
      // Those that are kept are used.
      const before = new Set(server.asked.map(({ connection }) => connection)).size;
      await send(0);
      expect(new Set(server.asked.map(({ connection }) => connection)).size).toBe(before);
    });

    it("is closed with the pool, idle or not", async () => {
      const server = await kit.serve(({ line }) => (line.includes("/slow") ? undefined : OK));
      const pool = kit.pool();
      await pool.send(request(server.url));
      const slow = rejection(pool.send(request(`${server.url}/slow`)));
      await until(() => server.asked.length === 2);
      await pool.close();
      await slow;
      await until(() => server.open.size === 0);
    });

    it("waits for its name's address together with others, and for no other name's", async () => {
      const server = await kit.serve();
      const silent = new Map<string, number>();
      const lookup: LookupFunction = (host, options, done) => {
        if (host === "well.test") return HERE(host, options, done);
        silent.set(host, (silent.get(host) ?? 0) + 1);
      };
      const pool = kit.pool({ lookup });
      const dead = Array.from({ length: 40 }, (_, at) =>
        rejection(pool.send(request(`http://dead${at % 2}.test/`))),
      );
      expect(await pool.send(request(`http://well.test:${server.port}/`))).toMatchObject({ status: 200 });
      expect([...silent]).toEqual([
        ["dead0.test", 1],
        ["dead1.test", 1],
      ]);
      await pool.close();
      await Promise.all(dead);
    });

    it("goes to another of a name's addresses where one doesn't answer", async () => {
      const server = await kit.serve();
      const lookup = resolver(() => ["127.0.0.2", "127.0.0.1"]);
      const reply = await kit.pool({ lookup }).send(request(`http://name.test:${server.port}/`));
      expect(reply).toMatchObject({ status: 200 });
    });

    it("that can't be made is told of", async () => {
      const server = await kit.serve();
      await server.close();
      expect((await rejection(kit.pool().send(request(server.url)))).message).toMatch(
        /ECONNREFUSED|refused/i,
      );
      const lookup = (...[host, , done]: Parameters<typeof HERE>): void =>
        done(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: "ENOTFOUND" }), "");
      const sent = kit.pool({ lookup }).send(request("http://nobody.test/"));
      expect((await rejection(sent)).message).toContain("ENOTFOUND nobody.test");
    });
  });
}
