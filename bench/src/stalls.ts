import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { startEngine, TOKEN } from "./engine-process.ts";

/** The longest waits of others beside one large request, in milliseconds. */
export interface Stall {
  readonly title: string;
  /** The longest of a `GET /health`. */
  readonly health: number;
  /** The longest of a message, from its publication to its delivery. */
  readonly delivery: number;
}

interface Load {
  readonly title: string;
  readonly path: string;
  readonly body: string;
}

const LATER = { "Upstash-Delay": "1d" };
/** Milliseconds of probing where nothing else happens: the floor. */
const QUIET = 2000;

const items = (count: number, bytes: number, destination = "https://example.com/"): string =>
  JSON.stringify(
    Array.from({ length: count }, () => ({ destination, headers: LATER, body: "x".repeat(bytes) })),
  );

const LOADS: readonly Load[] = [
  { title: "nothing", path: "", body: "" },
  { title: "1000 items of 10 kB", path: "/v2/batch", body: items(1000, 10_000) },
  { title: "1000 items of nothing", path: "/v2/batch", body: items(1000, 0) },
  { title: "10 items of 1 MB", path: "/v2/batch", body: items(10, 1_000_000) },
  { title: "10 x 100 kB x a group of 100", path: "/v2/batch", body: items(10, 100_000, "group") },
  { title: "1 MB x a group of 100", path: "/v2/publish/group", body: "x".repeat(1_000_000) },
];

/** Probes an engine in a process of its own while it serves the largest requests that it allows, one after the other. */
export async function stalls(): Promise<readonly Stall[]> {
  const engine = await startEngine();
  const probe = new Probe(engine.url, await listen());
  try {
    await probe.post("/v2/topics/group/endpoints", groupOf(100));
    const measured: Stall[] = [];
    for (const { title, path, body } of LOADS) {
      measured.push({ title, ...(await probe.during(() => (path ? probe.post(path, body) : pause(QUIET)))) });
    }
    return measured;
  } finally {
    probe.close();
    await engine.stop();
  }
}

function groupOf(count: number): string {
  const endpoints = Array.from({ length: count }, (_, at) => ({ url: `https://example.com/${at}` }));
  return JSON.stringify({ endpoints });
}

async function listen(): Promise<Server> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** Asks an engine, and is an endpoint of it. */
class Probe {
  readonly #engine: string;
  readonly #server: Server;
  readonly #url: string;

  constructor(engine: string, server: Server) {
    this.#engine = engine;
    this.#server = server;
    this.#url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  async post(path: string, body: string): Promise<void> {
    const headers = { Authorization: `Bearer ${TOKEN}`, ...(path.includes("group") ? LATER : {}) };
    const answer = await fetch(this.#engine + path, { method: "POST", headers, body });
    await answer.arrayBuffer();
    if (!answer.ok) throw new TypeError(`The engine answered ${answer.status} to ${path}.`);
  }

  /** The longest waits while `work` is under way. */
  async during(work: () => Promise<unknown>): Promise<Pick<Stall, "health" | "delivery">> {
    let over = false;
    const longest = async (ask: () => Promise<unknown>): Promise<number> => {
      let most = 0;
      while (!over) {
        const began = performance.now();
        await ask();
        most = Math.max(most, performance.now() - began);
        await pause(5);
      }
      return most;
    };
    const health = longest(async () => (await fetch(`${this.#engine}/health`)).arrayBuffer());
    const delivery = longest(() => this.#deliver());
    await pause(50);
    await work();
    over = true;
    return { health: await health, delivery: await delivery };
  }

  async #deliver(): Promise<void> {
    const arrived = new Promise<void>((resolve) => {
      this.#server.once("request", (_asked, answer) => {
        answer.end();
        resolve();
      });
    });
    await this.post(`/v2/publish/${this.#url}`, "");
    await arrived;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
