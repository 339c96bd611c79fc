import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import manifest from "@perdure/engine/package.json" with { type: "json" };
import { INHERITED } from "./inherited.ts";
import { ON_POSTGRES } from "./mode.ts";
import { programOf } from "./programs.ts";

/** The engine's command line. */
export const CLI: string = programOf(
  fileURLToPath(new URL(manifest.bin.perdure, import.meta.resolve("@perdure/engine/package.json"))),
);

const POSTGRES_DEV = fileURLToPath(new URL("./postgres-dev.ts", import.meta.url));

/** A child process. The test ends it. */
export class Process {
  readonly lines: string[] = [];
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.ended = new Promise((resolve) => child.once("close", resolve));
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on("line", (line) => this.lines.push(line));
    }
  }

  static node(file: string, args: readonly string[], env: Record<string, string> = {}): Process {
    return Process.start(process.execPath, [programOf(file), ...args], env);
  }

  /** @param env the child's variables in addition to {@link INHERITED} */
  static start(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Process {
    const child = spawn(command, args, {
      env: { ...INHERITED, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    return new Process(child);
  }

  /** Waits for a line of output. @throws Error when the process ends without it */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    let over = false;
    void this.ended.then(() => {
      over = true;
    });
    for (;;) {
      for (const line of this.lines) {
        const match = pattern.exec(line);
        if (match) return match;
      }
      if (over) throw new Error(`The process ended without ${pattern}:\n${this.lines.join("\n")}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Closes the reading ends of its output, like a log collector that crashes. */
  hangUp(): void {
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  kill(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal);
    return this.ended;
  }
}

/** A process of `perdure dev`, on a free port, or one like it on PostgreSQL. */
export class EngineProcess {
  readonly url: string;
  readonly process: Process;

  private constructor(url: string, process: Process) {
    this.url = url;
    this.process = process;
  }

  /** @param file the path of its database. On PostgreSQL it is only a name */
  static async start(file: string, port = 0): Promise<EngineProcess> {
    const process = ON_POSTGRES
      ? Process.node(POSTGRES_DEV, [await databaseOf(file), String(port)])
      : Process.node(CLI, ["dev", "--port", String(port), "--db", file]);
    const [, url] = await process.line(/running at (http\S+)/);
    return new EngineProcess(url as string, process);
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }
}

async function databaseOf(file: string): Promise<string> {
  const { databaseNamed } = await import("./postgres-database.ts");
  return `${databaseNamed(file)}&connections=4`;
}

/** The environment variables that connect an endpoint of either SDK with `perdure dev` at `engineUrl`. */
export function environment(engineUrl: string): Record<string, string> {
  const { token, currentSigningKey, nextSigningKey } = DEV_CREDENTIALS;
  return {
    QSTASH_URL: engineUrl,
    QSTASH_TOKEN: token,
    QSTASH_CURRENT_SIGNING_KEY: currentSigningKey,
    QSTASH_NEXT_SIGNING_KEY: nextSigningKey,
  };
}

/**
 * Finds a free port for a server that the test kills and restarts. It is below the system's range for clients: a client that
 * connects to the dead server could otherwise get its port.
 */
export async function steadyPort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    if (given.has(port)) continue;
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once("error", () => resolve(false));
      // At all addresses: a server that listens at one of them keeps another from listening at all.
      probe.listen(port, () => probe.close(() => resolve(true)));
    });
    if (!free || given.has(port)) continue;
    given.add(port);
    return port;
  }
}

/** Each of vitest's workers has ports of its own: two could find the same one free before its server listens. */
const PORTS = 3000;
const FIRST_PORT = 15_000 + (Number(process.env.VITEST_POOL_ID ?? 0) % 5) * PORTS;
/** The ports that this process has given to servers. */
const given = new Set<number>();

/** Creates a folder for the test to remove. Its path contains spaces. */
export function temporaryFolder(parent: string = tmpdir()): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(parent, "perdure e2e "));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
