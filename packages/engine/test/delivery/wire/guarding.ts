import { describe, expect, it } from "vitest";
import { createPolicy, type DestinationRules } from "../../../src/delivery/policy.ts";
import { guarded, type Transport } from "../../../src/delivery/transport.ts";
import { type Kit, rejection, request, resolver, until, useKit } from "./kit.ts";

/** What stands for the internet here, beside 127.0.0.1, which stands for what is inside. */
const OUTSIDE = "127.0.0.2";
const RULES: DestinationRules = { allow: [OUTSIDE] };

const guardedPool = (kit: Kit, lookup: ReturnType<typeof resolver>, rules = RULES): Transport => {
  const policy = createPolicy(rules);
  return guarded(kit.pool({ policy, lookup }), policy);
};

/** That nothing is connected to but what was looked at. */
export function guarding(): void {
  describe("a policy", () => {
    const kit = useKit();

    it("decides by the address that is connected to, however a name changes its meaning", async () => {
      const server = await kit.serve(undefined, "0.0.0.0");
      const url = `http://rebound.test:${server.port}/`;
      // The internet the first time, and inside ever after.
      const lookup = resolver((asked) => [asked === 0 ? OUTSIDE : "127.0.0.1"]);
      const pool = guardedPool(kit, lookup);
      expect(await pool.send(request(url))).toMatchObject({ status: 200 });
      expect(lookup.asked).toBe(1);
      expect(server.asked.map(({ socket }) => socket.localAddress)).toEqual([OUTSIDE]);
      for (const socket of server.open) socket.destroy();
      await until(() => server.open.size === 0);
      for (const method of ["POST", "GET"]) {
        const error = await rejection(pool.send(request(url, { method })));
        expect(error.name).toBe("DestinationRefused");
        expect(error.message).toBe(
          "destination refused: rebound.test: endpoint resolves to a loopback address: 127.0.0.1 (perdure start --allow-destination 127.0.0.1 allows it)",
        );
      }
      expect(lookup.asked).toBe(3);
      expect(server.asked).toHaveLength(1);
    });

    it("holds also for the connection that takes a failed one's place", async () => {
      const server = await kit.serve(
        ({ socket }) => (server.asked.length > 1 ? void socket.destroy() : undefined),
        "0.0.0.0",
      );
      const lookup = resolver((asked) => [asked === 0 ? OUTSIDE : "127.0.0.1"]);
      const pool = guardedPool(kit, lookup);
      const first = pool.send(request(`http://rebound.test:${server.port}/`, { method: "GET" }));
      await until(() => server.asked.length === 1);
      server.asked[0]?.socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      await first;
      const again = pool.send(request(`http://rebound.test:${server.port}/`, { method: "GET" }));
      expect((await rejection(again)).name).toBe("DestinationRefused");
      expect(lookup.asked).toBe(2);
      expect(server.asked).toHaveLength(2);
    });

    it("leaves of a name's addresses those that may be connected to", async () => {
      const server = await kit.serve(undefined, "0.0.0.0");
      for (const addresses of [
        ["127.0.0.1", OUTSIDE],
        ["::1", "10.0.0.1", OUTSIDE, "::ffff:127.0.0.1"],
      ]) {
        await guardedPool(
          kit,
          resolver(() => addresses),
        ).send(request(`http://both.test:${server.port}/`));
        expect(server.asked.at(-1)?.socket.localAddress).toBe(OUTSIDE);
      }
    });

    it.each([
      "127.0.0.1",
      "::1",
      "::ffff:127.0.0.1",
      "::ffff:7f00:1",
      "::7f00:1",
      "0.0.0.0",
      "::",
      "169.254.169.254",
    ])("lets no name mean", async (address) => {
      const server = await kit.serve(undefined, "0.0.0.0");
      const sent = guardedPool(
        kit,
        resolver(() => [address]),
      ).send(request(`http://n.test:${server.port}/`));
      expect((await rejection(sent)).name).toBe("DestinationRefused");
      expect(server.asked).toHaveLength(0);
    });

    it.each([
      "127.0.0.1",
      "2130706433",
      "0x7f000001",
      "0177.0.0.1",
      "127.1",
      "127.0.0.1.",
      "[::ffff:127.0.0.1]",
      "[::ffff:7f00:1]",
      "[::1]",
      "0",
      "0.0.0.0",
      "localhost",
      "localhost.",
      "LOCALHOST",
      "app.localhost",
      "１２７.0.0.1",
    ])("sees through", async (host) => {
      const server = await kit.serve(undefined, "0.0.0.0");
      const sent = guardedPool(
        kit,
        resolver(() => ["127.0.0.1"]),
      ).send(request(`http://${host}:${server.port}/`));
      expect((await rejection(sent)).name).toBe("DestinationRefused");
      expect(server.asked).toHaveLength(0);
    });

    it("knows a name by its meaning, with the root's dot as without", async () => {
      const server = await kit.serve(undefined, "0.0.0.0");
      const pool = guardedPool(
        kit,
        resolver(() => ["127.0.0.1"]),
        { allow: ["*.inside.test"], deny: ["no.inside.test"] },
      );
      for (const host of ["a.inside.test", "a.inside.test.", "A.Inside.Test"])
        expect(await pool.send(request(`http://${host}:${server.port}/`))).toMatchObject({ status: 200 });
      for (const host of ["no.inside.test", "no.inside.test.", "inside.test"])
        expect((await rejection(pool.send(request(`http://${host}:${server.port}/`)))).name).toBe(
          "DestinationRefused",
        );
      expect(server.asked).toHaveLength(3);
    });
  });
}
