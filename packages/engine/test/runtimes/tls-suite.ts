import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:tls";
import { createPolicy } from "../../src/delivery/policy.ts";
import { type Kit, rejection, request, resolver, text, useKit } from "../delivery/wire/kit.ts";
import { afterEach, describe, expect, it, run } from "./vitest.ts";

/** The name that the certificate is good for; the authority that says so is in the environment. */
const [NAME = "", key = "", certificate = ""] = process.argv.slice(2);

const servers: Server[] = [];

async function secure(): Promise<{ port: number; names: unknown[] }> {
  const names: unknown[] = [];
  const options = { key: readFileSync(key), cert: readFileSync(certificate) };
  const server = createServer(options, (socket) => {
    names.push(socket.servername);
    socket.on("error", () => {});
    socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  });
  server.on("tlsClientError", () => {});
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, names };
}

describe("a server's certificate", () => {
  const kit: Kit = useKit();
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });
  const lookup = resolver(() => ["127.0.0.1"]);
  // With an address that was checked, as without.
  const policies = [undefined, createPolicy({ allow: ["127.0.0.0/8"] })];

  it("is asked for by the name, and not by the address that it led to", async () => {
    for (const policy of policies) {
      const { port, names } = await secure();
      const pool = kit.pool({ lookup, policy });
      for (const host of [NAME, `${NAME}.`, NAME.toUpperCase()]) {
        for (let time = 0; time < 2; time++) {
          const reply = await pool.send(request(`https://${host}:${port}/`, { body: "x" }));
          expect(text(reply.body)).toBe("ok");
        }
      }
      expect(new Set(names)).toEqual(new Set([NAME]));
    }
  });

  it("is none for another name, nor for the address, whatever the request says", async () => {
    for (const policy of policies) {
      const { port } = await secure();
      const pool = kit.pool({ lookup, policy });
      for (const host of ["other.test", `sub.${NAME}`, "127.0.0.1"]) {
        const headers = { host: NAME };
        const error = await rejection(pool.send(request(`https://${host}:${port}/`, { headers })));
        expect(`${error.message} ${error.cause ?? ""}`).toMatch(
          /altnames|not valid for|NotValidForName|hostname/i,
        );
      }
    }
  });

  it("is checked before anything is sent, also where it was good for another name", async () => {
    const { port } = await secure();
    const pool = kit.pool({ lookup });
    await pool.send(request(`https://${NAME}:${port}/`));
    await rejection(pool.send(request(`https://other.test:${port}/`)));
    await pool.send(request(`https://${NAME}:${port}/`));
  });
});

process.exit((await run()) === 0 ? 0 : 1);
