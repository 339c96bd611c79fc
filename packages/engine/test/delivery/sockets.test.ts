import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { HEADER } from "@perdure/core/protocol";
import { afterEach, describe, expect, it } from "vitest";
import { useMachine } from "../crashing.ts";
import { type World, type WorldOptions, world } from "../harness.ts";
import { until, useKit } from "./wire/kit.ts";

const machine = useMachine();
const kit = useKit();
const worlds: World[] = [];
afterEach(async () => {
  for (const w of worlds.splice(0)) {
    await w.engine.stop({ deadline: 0 });
    await w.store.close();
  }
});

/** An engine whose deliveries go over sockets. */
function wired(options: WorldOptions = {}): World {
  const w = world(undefined, {
    file: join(machine().folder, "engine.db"),
    concurrency: 16,
    transport: kit.pool(),
    ...options,
  });
  worlds.push(w);
  return w;
}

async function publish(w: World, url: string, count: number, body = "x"): Promise<void> {
  const items = Array.from({ length: count }, (_, at) => ({
    destination: `${url}/${at}`,
    headers: { [HEADER.retries]: "0" },
    body,
  }));
  expect(await w.ask("POST", "/v2/batch", { body: JSON.stringify(items) })).toMatchObject({ status: 200 });
}

/** Bytes that are in use. */
function used(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describe("destinations on sockets", () => {
  it("that are dead, in whatever way, slow down no other", async () => {
    const silent = await kit.serve(() => undefined);
    const stuck = await kit.serve(() => "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    const well = await kit.serve();
    const w = wired();
    await publish(w, silent.url, 300);
    await publish(w, stuck.url, 300);
    await until(() => silent.asked.length + stuck.asked.length >= 10);
    await publish(w, well.url, 200);
    await until(() => well.asked.length === 200);
    // Of sixteen places there are some left, however long these two take.
    expect(silent.open.size + stuck.open.size).toBeLessThan(16);
    expect(silent.asked.length + stuck.asked.length).toBeLessThan(16);
  });

  it("that are slow are served as fast as they can be, and so are the others", async () => {
    const answer: (() => void)[] = [];
    const slow = await kit.serve(({ socket }) => {
      answer.push(() => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
      return undefined;
    });
    const well = await kit.serve();
    const w = wired();
    await publish(w, slow.url, 30);
    for (let round = 1; slow.asked.length < 30 || answer.length > 0; round++) {
      await until(() => answer.length > 0);
      await publish(w, well.url, 20);
      await until(() => well.asked.length === round * 20);
      for (const one of answer.splice(0)) one();
      await until(() => answer.length > 0 || slow.asked.length === 30);
    }
    await w.engine.idle();
    expect(slow.asked.map(({ line }) => line).toSorted()).toEqual(
      Array.from({ length: 30 }, (_, at) => `POST /${at} HTTP/1.1`).toSorted(),
    );
    // Connections are used again.
    expect(new Set(well.asked.map(({ connection }) => connection)).size).toBeLessThan(17);
  });
});

describe("messages that wait", () => {
  it("are in the database, and take no memory", async () => {
    const silent = await kit.serve(() => undefined);
    const w = wired();
    const body = "x".repeat(10_000);
    await publish(w, silent.url, 50, body);
    const before = used();
    for (let batch = 0; batch < 40; batch++) await publish(w, silent.url, 100, body);
    await until(() => silent.asked.length > 0);
    const waiting = 40 * 100 * body.length;
    // What has been used up may take some turns to be given back.
    await until(() => used() - before < waiting / 4);
    expect(silent.asked.length).toBeLessThan(16);
  });

  it("hold no socket, to however many destinations", async () => {
    const server = await kit.serve();
    const transport = kit.pool({
      kept: 4,
      lookup: (_host, options, done) =>
        options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4),
    });
    let most = 0;
    const w = wired({ transport, onEvent: () => (most = Math.max(most, server.open.size)) });
    const items = Array.from({ length: 200 }, (_, at) => ({
      destination: `http://host${at}.test:${server.port}/`,
    }));
    await w.ask("POST", "/v2/batch", { body: JSON.stringify(items) });
    await until(() => server.asked.length >= 200);
    await w.engine.idle();
    expect(server.asked).toHaveLength(200);
    // Those under way, those that are kept, and those that are just being closed.
    expect(most).toBeLessThan(3 * 16 + 4);
    await until(() => server.open.size <= 4);
  });
});
