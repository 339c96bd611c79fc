import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DEV_CREDENTIALS, FEATURES, HEADER } from "@perdure/core/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { useDesk } from "./desk.ts";

const desk = useDesk();
const { dev } = desk;
let folder: string;
const servers: Server[] = [];

beforeEach(() => {
  folder = desk.folder();
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function endpoint(listener: (headers: Record<string, unknown>) => number): Promise<string> {
  const server = createServer((asked, answer) => {
    asked.resume();
    answer
      .writeHead(listener(asked.headers), { [HEADER.sdkVersion]: "1" })
      .end('{"message":"card declined"}');
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/wf`;
}

const post = (url: string, path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${url}${path}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${DEV_CREDENTIALS.token}`, ...headers },
  });

describe("perdure dev", () => {
  it("says where it runs and what to paste, and stops when told", async () => {
    const one = dev(["--port", "0"]);
    await one.saying("PERDURE_NEXT_SIGNING_KEY");
    expect(one.said()).toMatch(/Perdure engine running at http:\/\/127\.0\.0\.1:\d+\n/);
    expect(one.said()).toContain(join(folder, ".perdure", "dev.db"));
    expect(one.said()).toContain(
      [
        `PERDURE_URL=${one.url()}`,
        `PERDURE_TOKEN=${DEV_CREDENTIALS.token}`,
        `PERDURE_CURRENT_SIGNING_KEY=${DEV_CREDENTIALS.currentSigningKey}`,
        `PERDURE_NEXT_SIGNING_KEY=${DEV_CREDENTIALS.nextSigningKey}`,
      ].join("\n"),
    );
    const keys = await fetch(`${one.url()}/v2/keys`, {
      headers: { Authorization: `Bearer ${DEV_CREDENTIALS.token}` },
    });
    expect(await keys.json()).toEqual({
      current: DEV_CREDENTIALS.currentSigningKey,
      next: DEV_CREDENTIALS.nextSigningKey,
    });
    one.child.kill("SIGTERM");
    expect(await one.exit()).toBe(0);
  });

  it("takes nothing from a web page, nor under a name that isn't its own", async () => {
    const one = dev(["--port", "0", "--allow-host", "tunnel.test", "--allow-origin", "https://console.test"]);
    await one.saying("PERDURE_NEXT_SIGNING_KEY");
    const query = `?qstash_token=${encodeURIComponent(DEV_CREDENTIALS.token)}&Upstash-Delay=1h`;
    const path = `/v2/publish/https://a.test/${query}`;
    const local = new URL(one.url()).host;
    const statusOf = (headers: Record<string, string>, asked = path, method = "POST") => {
      const { hostname, port } = new URL(one.url());
      return new Promise((resolve, reject) => {
        const sent = request({ hostname, port, path: asked, method, headers }, (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        });
        sent.on("error", reject).end();
      });
    };
    const logs = `/v2/logs?qstash_token=${encodeURIComponent(DEV_CREDENTIALS.token)}`;
    expect(await statusOf({ Host: local, Origin: "https://evil.example" })).toBe(403);
    expect(await statusOf({ Host: local, "Sec-Fetch-Site": "cross-site" })).toBe(403);
    expect(await statusOf({ Host: "evil.example" })).toBe(403);
    expect(await statusOf({ Host: "evil.example" }, logs, "GET")).toBe(403);
    expect(await statusOf({ Host: "evil.example" }, "/openapi.json", "GET")).toBe(403);
    expect(await statusOf({ Host: local })).toBe(200);
    expect(await statusOf({ Host: local, Origin: "http://localhost:3000" })).toBe(200);
    expect(await statusOf({ Host: "tunnel.test" })).toBe(200);
    expect(
      await statusOf({ Host: local, Origin: "https://console.test", "Sec-Fetch-Site": "cross-site" }),
    ).toBe(200);
  });

  it("warns loudly where others than this machine reach it with a token that everybody knows", async () => {
    const one = dev(["--port", "0", "--host", "0.0.0.0", "--db", "a.db"]);
    await one.saying(/WARNING: this engine listens on 0\.0\.0\.0.*--token/);
    const other = dev(["--port", "0", "--host", "0.0.0.0", "--db", "b.db", "--token", "a token of my own"]);
    await other.saying("PERDURE_NEXT_SIGNING_KEY");
    expect(other.said()).not.toContain("WARNING");
  });

  it("doesn't show secrets of one's own", async () => {
    const flags = ["--current-signing-key", "sig_mysecret1", "--next-signing-key", "sig_mysecret2"];
    const one = dev(["--port", "0", "--db", "a.db", ...flags], { PERDURE_TOKEN: "my-own-token" });
    await one.saying("PERDURE_NEXT_SIGNING_KEY");
    expect(one.said()).not.toMatch(/mysecret|own-token/);
    const answer = await fetch(`${one.url()}/v2/keys`, { headers: { Authorization: "Bearer my-own-token" } });
    expect(await answer.json()).toEqual({ current: "sig_mysecret1", next: "sig_mysecret2" });
    one.child.kill("SIGINT");
    expect(await one.exit()).toBe(0);
  });

  it("says that a port is taken, and what to do", async () => {
    const url = await endpoint(() => 200);
    const port = new URL(url).port;
    const one = dev(["--port", port]);
    expect(await one.exit()).toBe(1);
    expect(one.said()).toBe(
      `Port ${port} on 127.0.0.1 is taken.\nChoose another one: --port ${Number(port) + 1}, or any that is free: --port 0\n`,
    );
  });

  it("says that a database is in use, and lets go of it when it ends", async () => {
    const first = dev(["--port", "0", "--db", "a.db"]);
    await first.saying("running at");
    const second = dev(["--port", "0", "--db", "a.db"]);
    expect(await second.exit()).toBe(1);
    expect(second.said()).toBe(
      "The database a.db is in use by another process. Stop that one, such as another perdure dev, or choose another database with --db <file>.\n",
    );
    first.child.kill("SIGKILL");
    await first.exit();
    const third = dev(["--port", "0", "--db", "a.db"]);
    await third.saying("running at");
  });

  it("says in one line that a file isn't a database", async () => {
    writeFileSync(
      join(folder, "notes.txt"),
      "These are notes, and longer than the header of a database.".repeat(9),
    );
    const one = dev(["--port", "0", "--db", "notes.txt"]);
    expect(await one.exit()).toBe(1);
    expect(one.said()).toBe(
      "The database notes.txt can't be used: it is not a database. Choose another one with --db <file>.\n",
    );
  });

  it("refuses settings that it can't use", async () => {
    const one = dev(["--port", "99999"]);
    expect(await one.exit()).toBe(1);
    expect(one.said()).toBe('The port must be a number from 0 to 65535; got "99999" from --port.\n');
  });

  it("tells what happens, a line for each thing", async () => {
    const url = await endpoint((headers) => (headers["upstash-workflow-is-failure"] ? 200 : 500));
    const one = dev(["--port", "0"]);
    await one.saying("PERDURE_NEXT");
    const headers = {
      [HEADER.retries]: "1",
      [HEADER.retryDelay]: "1",
      [HEADER.runId]: "wfr_1",
      [HEADER.init]: "true",
      [HEADER.featureSet]: FEATURES,
    };
    await post(one.url(), `/v2/publish/${url}`, headers);
    await one.saying("failure function");
    const lines = one.said().split("\n").slice(-5, -1);
    expect(lines).toEqual([
      expect.stringMatching(/^[\d:]{8} ▶ wfr_1 \/wf started http/),
      expect.stringMatching(
        /^[\d:]{8} ↻ wfr_1 \/wf before its first step again in 1 ms: card declined \(attempt 1, 500, \d+ ms\)$/,
      ),
      expect.stringMatching(
        /^[\d:]{8} ✗ wfr_1 \/wf run failed before its first step: card declined \(attempt 2, 500, \d+ ms\) dead letter \d+-1$/,
      ),
      expect.stringMatching(
        /^[\d:]{8} ✚ wfr_1 \/wf failure function ran: \{"message":"card declined"\} \(attempt 1, 200, \d+ ms\)$/,
      ),
    ]);
  });

  it.each([
    [1, "1 run is under way."],
    [101, "More than 100 runs are under way."],
  ])("says after a restart that %i go on", async (count, line) => {
    const first = dev(["--port", "0"]);
    await first.saying("PERDURE_NEXT");
    expect(first.said()).not.toContain("under way");
    const trigger = "/v2/trigger/http://localhost:9/wf";
    const started = Array.from({ length: count }, () => post(first.url(), trigger, { [HEADER.delay]: "1h" }));
    for (const answer of await Promise.all(started)) expect(answer.status).toBe(200);
    first.child.kill("SIGKILL");
    await first.exit();
    const second = dev(["--port", "0"]);
    await second.saying("under way");
    expect(second.said().split("\n")).toContain(line);
  });

  it("says nothing when asked to be silent", async () => {
    const one = dev(["--port", "0", "--log-level", "silent"]);
    // By now it has its database, and whatever it had to say it would have said.
    const opened = (): boolean => existsSync(join(folder, ".perdure", "dev.db"));
    await expect.poll(opened, { interval: 10 }).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 100));
    one.child.kill("SIGTERM");
    await one.exit();
    expect(one.said()).toBe("");
  });

  it("delivers again what was under way when it was killed", async () => {
    const seen: unknown[] = [];
    const server = createServer((asked, answer) => {
      asked.resume();
      seen.push(asked.headers[HEADER.messageId.toLowerCase()]);
      // The first time there is no answer at all.
      if (seen.length > 1) answer.end();
    });
    servers.push(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const first = dev(["--port", "0"]);
    await first.saying("PERDURE_NEXT");
    const { messageId } = (await (
      await post(first.url(), `/v2/publish/http://127.0.0.1:${port}/`)
    ).json()) as { messageId: string };
    await expect.poll(() => seen.length, { interval: 10 }).toBe(1);
    first.child.kill("SIGKILL");
    await first.exit();
    const second = dev(["--port", "0"]);
    await second.saying("✓");
    expect(seen).toEqual([messageId, messageId]);
    server.closeAllConnections();
  });
});
