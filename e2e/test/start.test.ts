import { writeFileSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DEV_CREDENTIALS, HEADER } from "@perdure/core/protocol";
import { CLI, Process, temporaryFolder } from "@perdure/test-support/process";
import { Client, Receiver } from "@upstash/qstash";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Endpoint } from "./support/endpoint.ts";

const folder = temporaryFolder();
const processes: Process[] = [];
const ANN = "ann-0123456789abcdef";
const ANN_LOOK = "look-0123456789abcdef";
const KEYS = { current: "sig_a-0123456789abcdef", next: "sig_b-0123456789abcdef" };
const METRICS = "metrics-0123456789abcdef";
const ALLOWED = ["--allow-destination", "127.0.0.0/8"];
let env: Record<string, string>;
let app: Endpoint;

beforeAll(async () => {
  app = await Endpoint.start();
  const made = Process.node(CLI, ["keys", "new", "--user", "acme"]);
  await made.ended;
  env = Object.fromEntries(made.lines.map((line) => line.split(/=(.*)/s, 2) as [string, string]));
});
afterEach(async () => {
  for (const one of processes.splice(0)) await one.kill("SIGKILL");
});
afterAll(async () => {
  await app.stop();
  folder.remove();
});

interface Started {
  readonly process: Process;
  readonly url: string;
  /** The lines of its log. */
  log(): Record<string, unknown>[];
}

let databases = 0;

async function start(flags: readonly string[], more: Record<string, string> = {}): Promise<Started> {
  const db = join(folder.path, `start-${databases++}.db`);
  const process = Process.node(CLI, ["start", "--port", "0", "--db", db, ...flags], { ...env, ...more });
  processes.push(process);
  const [line] = await process.line(/.*"event":"listening".*/);
  const { url } = JSON.parse(line) as { url: string };
  return { process, url, log: () => process.lines.map((one) => JSON.parse(one)) };
}

async function refusedStart(args: readonly string[], own: Record<string, string>): Promise<string> {
  const process = Process.node(
    CLI,
    ["start", "--port", "0", "--db", join(folder.path, "refused.db"), ...args],
    own,
  );
  expect(await process.ended).toBe(1);
  return process.lines.join("\n");
}

const clientOf = ({ url }: Started, token = env.PERDURE_TOKEN as string): Client =>
  new Client({ baseUrl: url, token, devMode: false, retry: false });
const get = (url: string, token?: string): Promise<Response> =>
  fetch(url, token === undefined ? {} : { headers: { Authorization: `Bearer ${token}` } });
const post = (url: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url, { method: "POST", headers: { Authorization: `Bearer ${env.PERDURE_TOKEN}`, ...headers } });

/** An endpoint of which each answer is given by hand. */
async function gate(): Promise<{ url: string; waiting: ServerResponse[]; close: () => void }> {
  const waiting: ServerResponse[] = [];
  const server: Server = createServer((_, answer) => void waiting.push(answer));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    waiting,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe("perdure start", () => {
  it("needs secrets, and none that everybody knows", async () => {
    expect(await refusedStart([], {})).toMatch(/^PERDURE_TOKEN is missing.*\n.*perdure keys new/);
    const open = { ...env, PERDURE_TOKEN: DEV_CREDENTIALS.token };
    expect(await refusedStart([], open)).toMatch(/public ones of development.*\n.*perdure keys new/);
    const short = await refusedStart([], { ...env, PERDURE_TOKEN: "short-secret" });
    expect(short).toMatch(/^A token of .* has 12 characters.*\n.*perdure keys new.*openssl rand -base64 32$/);
    expect(short).not.toContain("short-secret");
    expect(await refusedStart(["--config", join(folder.path, "none.json")], env)).toContain("none.json");
  });

  it("works with the official client, once it is allowed to reach this machine", async () => {
    const engine = await start(ALLOWED);
    const got = new Promise<{ body: string; signature: string; url: string }>((resolve) => {
      const url = app.at("/start", async (request) => {
        const signature = request.headers.get(HEADER.signature) ?? "";
        resolve({ body: await request.text(), signature, url });
        return new Response();
      });
      void clientOf(engine).publishJSON({ url, body: { hello: 1 } });
    });
    const received = await got;
    const receiver = new Receiver({
      currentSigningKey: env.PERDURE_CURRENT_SIGNING_KEY as string,
      nextSigningKey: env.PERDURE_NEXT_SIGNING_KEY as string,
      devMode: false,
    });
    expect(await receiver.verify(received)).toBe(true);
    await expect(clientOf(engine, DEV_CREDENTIALS.token).publish({ url: received.url })).rejects.toThrow(
      /unauthorized/,
    );
  });

  it("reaches nothing inside otherwise, by whatever name", async () => {
    const engine = await start([]);
    const inside = await gate();
    const port = new URL(inside.url).port;
    for (const host of [
      "127.0.0.1",
      "localhost",
      "2130706433",
      "[::ffff:127.0.0.1]",
      "0x7f.1",
      "169.254.169.254",
    ]) {
      await expect(clientOf(engine).publish({ url: `http://${host}:${port}/` })).rejects.toThrow(
        /endpoint resolves to a/,
      );
    }
    expect(inside.waiting).toHaveLength(0);
    inside.close();
  });

  it("takes its settings from a file", async () => {
    const config = join(folder.path, "perdure.json");
    const ann = {
      user: "ann",
      tokens: [ANN],
      readOnlyTokens: [ANN_LOOK],
      signingKeys: KEYS,
    };
    writeFileSync(
      config,
      JSON.stringify({ tenants: [ann], limits: { retries: 5 }, destinations: { allow: ["127.0.0.1"] } }),
    );
    const engine = await start(["--config", config]);
    await expect(
      clientOf(engine).publish({ url: app.at("/x", () => new Response()), retries: 6 }),
    ).rejects.toThrow(/412|at most 5/);
    expect(await (await get(`${engine.url}/v2/keys`, ANN)).json()).toEqual(KEYS);
    expect((await get(`${engine.url}/v2/keys`, ANN_LOOK)).status).toBe(403);
    expect((await get(`${engine.url}/v2/dlq`, ANN_LOOK)).status).toBe(200);
  });

  it("tells operators how it is, and metrics only to who has their token", async () => {
    const engine = await start([...ALLOWED, "--metrics-token", METRICS]);
    expect(await (await get(`${engine.url}/health`)).json()).toEqual({ status: "ok" });
    expect(await (await get(`${engine.url}/ready`)).json()).toEqual({ status: "ready" });
    await clientOf(engine).publish({ url: app.at("/m", () => new Response()) });
    await engine.process.line(/"event":"delivered"/);
    expect((await get(`${engine.url}/metrics`)).status).toBe(401);
    expect((await get(`${engine.url}/metrics`, env.PERDURE_TOKEN)).status).toBe(401);
    expect((await get(`${engine.url}/v2/dlq`, METRICS)).status).toBe(401);
    const metrics = await get(`${engine.url}/metrics`, METRICS);
    expect(metrics.headers.get("Content-Type")).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await metrics.text()).toContain('perdure_messages_total{user="acme",state="DELIVERED"} 1');
    const plain = await start([]);
    expect((await get(`${plain.url}/metrics`, METRICS)).status).toBe(404);
  });

  it("logs objects, one a line, and no secret", async () => {
    const engine = await start([...ALLOWED, "--log-level", "debug"]);
    const url = app.at("/log", () => new Response());
    await clientOf(engine).publish({
      url: `${url}?key=hidden-1`,
      body: "hidden-2",
      headers: { "X-Key": "hidden-3" },
    });
    await engine.process.line(/"event":"delivered"/);
    await get(`${engine.url}/v2/dlq?qstash_token=hidden-4`);
    await engine.process.kill("SIGTERM");
    expect(engine.log().map(({ event }) => event)).toEqual([
      "listening",
      "delivering",
      "delivered",
      "stopping",
      "stopped",
    ]);
    const text = engine.process.lines.join("\n");
    for (const secret of ["hidden", ...Object.values(env)]) expect(text).not.toContain(secret);
  });
});

describe.each([
  ["start", ["--log-level", "debug", ...ALLOWED]],
  ["dev", ["--log-level", "debug"]],
])("perdure %s whose output nobody reads any more", (command, flags) => {
  it("goes on", async () => {
    const db = join(folder.path, `unread-${command}.db`);
    const process = Process.node(CLI, [command, "--port", "0", "--db", db, ...flags], env);
    processes.push(process);
    const [, url = ""] = await process.line(/(http:\/\/127\.0\.0\.1:\d+)/);
    process.hangUp();
    const client = clientOf({ process, url, log: () => [] });
    for (let i = 0; i < 3; i++) {
      const delivered = new Promise<void>((resolve) => {
        const destination = app.at(`/unread-${command}`, () => {
          resolve();
          return new Response();
        });
        void client.publish({ url: destination });
      });
      await delivered;
    }
    // A line of the last delivery has been written by now.
    await expect
      .poll(async () => (await client.logs({ filter: { state: "DELIVERED" } })).logs.length, { interval: 10 })
      .toBe(3);
    expect(await process.kill("SIGTERM")).toBe(0);
  });
});

describe("perdure start that is told to stop", () => {
  it("finishes what is under way, and takes only what that needs", async () => {
    const engine = await start(ALLOWED);
    const slow = await gate();
    await clientOf(engine).publish({ url: slow.url });
    await expect.poll(() => slow.waiting.length, { interval: 10 }).toBe(1);
    const ended = engine.process.kill("SIGTERM");
    await engine.process.line(/"event":"stopping"/);
    expect((await get(`${engine.url}/health`)).status).toBe(200);
    expect((await get(`${engine.url}/ready`)).status).toBe(503);
    const refused = await post(`${engine.url}/v2/publish/${slow.url}`);
    expect([refused.status, refused.headers.get("Connection")]).toEqual([503, "close"]);
    expect(await refused.json()).toEqual({ error: "the engine is shutting down" });
    // By these, a step that is being carried out is recorded.
    const step = await post(`${engine.url}/v2/publish/${slow.url}`, {
      [HEADER.runId]: "wfr_1",
      [HEADER.init]: "false",
    });
    expect([step.status, step.headers.get("Connection")]).toEqual([400, "close"]);
    expect((await post(`${engine.url}/v2/notify/e`)).status).toBe(201);
    slow.waiting[0]?.end();
    expect(await ended).toBe(0);
    expect(engine.log().map(({ event }) => event)).toEqual(["listening", "stopping", "delivered", "stopped"]);
    slow.close();
  });

  it("leaves at its deadline what doesn't come to an end, and delivers it when it is back", async () => {
    const db = ["--db", join(folder.path, "drained.db")];
    const first = await start([...ALLOWED, ...db, "--drain", "1s"]);
    const slow = await gate();
    const { messageId } = await clientOf(first).publish({ url: slow.url });
    await expect.poll(() => slow.waiting.length, { interval: 10 }).toBe(1);
    expect(await first.process.kill("SIGTERM")).toBe(0);
    const second = await start([...ALLOWED, ...db]);
    await expect.poll(() => slow.waiting.length, { interval: 10 }).toBe(2);
    slow.waiting[1]?.end();
    const [line] = await second.process.line(/.*"event":"delivered".*/);
    expect(JSON.parse(line)).toMatchObject({ messageId, attempt: 1 });
    slow.close();
  });

  it("a second time stops at once", async () => {
    const engine = await start(ALLOWED);
    const slow = await gate();
    await clientOf(engine).publish({ url: slow.url });
    await expect.poll(() => slow.waiting.length, { interval: 10 }).toBe(1);
    const ended = engine.process.kill("SIGTERM");
    await engine.process.line(/"event":"stopping"/);
    void engine.process.kill("SIGINT");
    expect(await ended).toBe(1);
    slow.close();
  });
});
