import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { history, runHeaders, sign } from "@perdure/test-support/delivery";
import { expect, it } from "vitest";
import { ask, type Scene } from "../scene.ts";
import { ORDER } from "./walk.ts";

/** A client that goes away leaves the server as it was. */
export function disconnects(scene: () => Scene): void {
  it("outlives a client that is gone in the middle of a body", async () => {
    const body = history(ORDER);
    const headers = {
      ...runHeaders(),
      "Upstash-Signature": await sign(body, { subject: `${scene().url}/order` }),
    };
    const socket = await open(scene(), "/order", body.length, headers);
    socket.write(body.slice(0, -1));
    await gone(socket);
    await expectAlive(scene());
    expect([...scene().stand.told, ...scene().stand.sent]).toEqual([]);
  });

  it("outlives clients that are gone in the middle of an answer", async () => {
    const body = "x".repeat(64 * 1024);
    for (let time = 0; time < 3; time++) {
      const socket = await open(scene(), "/echo?repeat=200", body.length, {});
      socket.write(body);
      await once(socket, "data");
      await gone(socket);
    }
    await expectAlive(scene());
  });
}

async function open(
  { url }: Scene,
  path: string,
  length: number,
  headers: Record<string, string>,
): Promise<Socket> {
  const { hostname, port, host, pathname } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  const lines = Object.entries({ ...headers, Host: host, "Content-Length": String(length) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.write(`POST ${pathname}${path} HTTP/1.1\r\n${head}\r\n`);
  return socket;
}

/** By a reset, as a process that is killed. */
async function gone(socket: Socket): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  socket.resetAndDestroy();
  await once(socket, "close");
}

async function expectAlive({ url }: Scene): Promise<void> {
  expect(await ask(`${url}/echo`, { body: "still there" })).toMatchObject({
    status: 201,
    text: "still there",
  });
}
