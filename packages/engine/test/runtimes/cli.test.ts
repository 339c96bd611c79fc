import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { build } from "esbuild";
import { afterAll, describe, expect, it } from "vitest";
import { CLI, useProcesses } from "./processes.ts";
import { COMMONJS, programOf, RUNTIMES } from "./runtimes.ts";

const run = promisify(execFile);

const TOKEN = "token-0123456789abcdef";
const SECRETS = [
  "--token",
  TOKEN,
  "--current-signing-key",
  "sig_a0123456789abcdef",
  "--next-signing-key",
  "sig_b0123456789abcdef",
];
const PACKAGE = dirname(dirname(CLI));

/** How a guide says that Deno is to be told: with these sources for the package that is installed there. */
function denoBy(guide: string, command: string): readonly string[] {
  const text = readFileSync(fileURLToPath(new URL(`../../../../docs/${guide}.md`, import.meta.url)), "utf8");
  const line = new RegExp(`^deno (run .*) node_modules/@perdure/engine/dist/cli\\.js ${command}$`, "m").exec(
    text,
  )?.[1];
  if (line === undefined) throw new TypeError(`docs/${guide}.md says nothing of perdure ${command} on Deno.`);
  return ["--no-prompt", ...line.split(" ").slice(1)].map((flag) => flag.replace("node_modules", PACKAGE));
}

const WAYS = RUNTIMES.flatMap(({ name, command }) => {
  const ways = [{ name, dev: command, start: command }];
  if (name !== "Deno") return ways;
  const with_ = (flags: readonly string[]): typeof command => [command[0], "run", ...flags];
  const dev = with_(denoBy("engine", "dev"));
  return [
    ...ways,
    { name: "Deno, permitted what the guides say", dev, start: with_(denoBy("operations", "start")) },
  ];
});

describe.each(WAYS)("under $name", ({ dev, start }) => {
  const processes = useProcesses();

  it("perdure dev stores, delivers, and stops when told", async () => {
    const app = await processes.listen();
    const perdure = await processes.start(dev, [CLI, "dev"], DEV_CREDENTIALS.token);
    const { body } = await perdure.publish(`http://127.0.0.1:${app.port}/?a=1`);
    // A redirect is an answer, and no success.
    await perdure.saying(/✗ msg_\S+ failed .*302/);
    expect(app.visits).toEqual([body.messageId]);
    expect(await perdure.stop()).toBe(0);
  });

  it("perdure start delivers where it may, and nowhere else", async () => {
    const app = await processes.listen();
    const args = [CLI, "start", ...SECRETS, "--allow-destination", "localhost"];
    const perdure = await processes.start(start, args, TOKEN);
    for (const host of ["127.0.0.1", "[::ffff:127.0.0.1]", "2130706433", "app.localhost"]) {
      const refused = await perdure.publish(`http://${host}:${app.port}/`);
      expect(refused).toMatchObject({ status: 400, body: { error: expect.stringContaining("loopback") } });
    }
    const { body } = await perdure.publish(`http://localhost:${app.port}/`);
    await perdure.saying(/"failed".*302/);
    expect(app.visits).toEqual([body.messageId]);
    expect(await perdure.stop()).toBe(0);
  });
});

describe("under a Node that has no SQLite yet", () => {
  const folder = mkdtempSync(join(tmpdir(), "perdure-old-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(["dev", "start"])("perdure %s says which one it needs", async (command) => {
    await build({
      entryPoints: [CLI],
      outdir: join(folder, "dist"),
      outExtension: { ".js": ".mjs" },
      bundle: true,
      // As in the package: a command is loaded when it is asked for.
      splitting: true,
      platform: "node",
      format: "esm",
      banner: { js: COMMONJS },
      logLevel: "error",
    });
    writeFileSync(join(folder, "package.json"), '{ "version": "0.0.0" }');
    const failed = run(programOf("node20", "bin/node"), [join(folder, "dist", "cli.mjs"), command]);
    const { code, stderr } = await failed.then(
      () => ({ code: 0, stderr: "" }),
      (error: { code: number; stderr: string }) => error,
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^perdure needs Node 22\.13 or later, for its SQLite; this is Node 20\.\d+\.\d+\.\n$/,
    );
  });
});
