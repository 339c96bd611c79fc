import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../packages/engine/src/cli.ts", import.meta.url));
/** The token of the engine that {@link startEngine} starts. */
export const TOKEN = "bench-0123456789abcdef";
const ENV = {
  PATH: process.env.PATH,
  QSTASH_TOKEN: TOKEN,
  QSTASH_CURRENT_SIGNING_KEY: "current-0123456789abcdef",
  QSTASH_NEXT_SIGNING_KEY: "next-0123456789abcdef",
};

/** An engine in a process of its own. */
export interface EngineProcess {
  readonly url: string;
  readonly pid: number;
  /** Stops the engine and deletes its database, unless it was given. */
  stop(): Promise<void>;
}

/** How {@link startEngine} starts an engine. */
export interface EngineProcessOptions {
  /** Flags of Node. */
  readonly flags?: readonly string[];
  /** The database's file. By default a new one. */
  readonly db?: string;
}

/** Starts `perdure start`. */
export async function startEngine(options: EngineProcessOptions = {}): Promise<EngineProcess> {
  const folder = mkdtempSync(join(tmpdir(), "perdure-bench-"));
  const { flags = [], db = join(folder, "bench.db") } = options;
  const args = ["start", "--port", "0", "--db", db, "--allow-destination", "127.0.0.0/8"];
  const engine = spawn(process.execPath, [...flags, CLI, ...args], {
    env: ENV,
    stdio: ["ignore", "pipe", "inherit"],
  });
  return {
    url: await urlOf(engine),
    pid: engine.pid ?? 0,
    async stop() {
      engine.kill();
      await once(engine, "close");
      rmSync(folder, { recursive: true });
    },
  };
}

async function urlOf({ stdout }: ChildProcess): Promise<string> {
  if (!stdout) throw new TypeError("The engine has no output.");
  const lines = createInterface({ input: stdout });
  const [first] = (await once(lines, "line")) as [string];
  // The engine's further output must be read, or the engine waits.
  lines.on("line", () => {});
  return (JSON.parse(first) as { url: string }).url;
}
