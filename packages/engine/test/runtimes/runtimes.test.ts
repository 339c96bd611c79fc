import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { DEV_CREDENTIALS, HEADER } from "@perdure/core/protocol";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { INHERITED } from "../inherited.ts";
import { RUNTIMES } from "./runtimes.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const run = promisify(execFile);

/** What modules that were written for CommonJS look for. */
const COMMONJS = `import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
const __dirname = import.meta.dirname;`;

let folder: string;
let suite: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "perdure-runtimes-"));
  suite = join(folder, "suite.mjs");
  await build({
    entryPoints: [here("suite.ts")],
    outfile: suite,
    bundle: true,
    platform: "node",
    format: "esm",
    alias: { vitest: here("vitest.ts") },
    banner: { js: COMMONJS },
    logLevel: "error",
  });
});
afterAll(async () => {
  for (const child of children) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  }
  rmSync(folder, { recursive: true });
});

describe.each(RUNTIMES)("under $name", ({ command: [program, ...args] }) => {
  it("the store does all that stores must do", async () => {
    const { stdout } = await run(program, [...args, suite], {
      env: { ...INHERITED, NO_COLOR: "1" },
    });
    expect(stdout).toMatch(/^\d{2,} passed, 0 failed\n$/m);
  });

  it("perdure dev stores, delivers, and stops when told", async () => {
    const visits: (string | undefined)[] = [];
    const app = createServer((request, answer) => {
      visits.push(request.headers[HEADER.messageId.toLowerCase()]?.toString());
      request.resume();
      answer.writeHead(302, { Location: "http://127.0.0.1:1/" }).end();
    });
    app.listen(0, "127.0.0.1");
    await once(app, "listening");
    const db = join(mkdtempSync(join(folder, "dev-")), "dev.db");
    const child = spawn(program, [...args, here("../../src/cli.ts"), "dev", "--port", "0", "--db", db], {
      env: { ...INHERITED, NO_COLOR: "1", HOME: folder },
    });
    children.push(child);
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => (said += part));
    const saying = (text: RegExp) => expect.poll(() => said, { timeout: 15_000, interval: 20 }).toMatch(text);
    await saying(/NEXT_SIGNING_KEY/);
    const url = /running at (\S+)/.exec(said)?.[1];
    const { port } = app.address() as AddressInfo;
    const answer = await fetch(`${url}/v2/publish/http://127.0.0.1:${port}/?a=1`, {
      method: "POST",
      headers: { Authorization: `Bearer ${DEV_CREDENTIALS.token}`, [HEADER.retries]: "0" },
      body: "x",
    });
    const { messageId } = (await answer.json()) as { messageId: string };
    // A redirect is an answer, and no success.
    await saying(/✗ msg_\S+ failed .*302/);
    expect(visits).toEqual([messageId]);
    child.kill("SIGTERM");
    expect((await once(child, "exit"))[0]).toBe(0);
    app.closeAllConnections();
    app.close();
  });
});
