// Restate: its server from npm with the default configuration, in a temporary folder; its SDK in this process.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import * as restate from "@restatedev/restate-sdk";
import { contend } from "./contender.ts";

const bench = restate.service({
  name: "bench",
  handlers: {
    run: async (context: restate.Context, steps: number): Promise<number> => {
      for (let step = 0; step < steps; step++) await context.run(`step ${step}`, () => step);
      return steps;
    },
  },
});
const [app, ingress, admin, node] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
await restate.serve({ services: [bench], port: app, logger: () => {} });

const folder = mkdtempSync(join(tmpdir(), "restate-bench-"));
const binary = join(dirname(fileURLToPath(import.meta.url)), "../node_modules/.bin/restate-server");
// npm's command starts the server as a child of its own: the process group is what stops both.
const server: ChildProcess = spawn(binary, ["--base-dir", folder], {
  stdio: "ignore",
  detached: true,
  env: {
    PATH: process.env.PATH,
    RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
    RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
    RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
    RESTATE_DISABLE_TELEMETRY: "true",
  },
});
await register();

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}

async function register(): Promise<void> {
  for (let left = 100; ; left--) {
    try {
      const response = await fetch(`http://127.0.0.1:${admin}/deployments`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ uri: `http://127.0.0.1:${app}` }),
      });
      if (response.ok) return;
      throw new Error(`Restate answered ${response.status}: ${await response.text()}`);
    } catch (error) {
      if (left === 0) throw error;
      await pause(200);
    }
  }
}

async function runOne(steps: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${ingress}/bench/run`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(steps),
  });
  if (!response.ok) throw new Error(`Restate answered ${response.status}: ${await response.text()}`);
  await response.text();
}

await contend(
  async (runs, steps) => {
    await Promise.all(Array.from({ length: runs }, () => runOne(steps)));
  },
  async () => {
    const ended = once(server, "exit");
    if (server.pid !== undefined) process.kill(-server.pid, "SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  },
);
