import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

/** A process of its own whose lines are shown as they come. */
export interface Running {
  /** Where it listens, as its own line `… running at URL` says. */
  readonly url: string;
  /** Asks it to end, and waits until it has. */
  stop(): Promise<void>;
  /** Resolves when it ends by itself. */
  readonly ended: Promise<number | null>;
}

/** Milliseconds that a process has until it listens, on a machine that may be busy. */
const DEADLINE_MS = 60_000;

/**
 * Starts a TypeScript file under the Node that runs this one.
 *
 * @param show is given each line it prints
 * @throws when it ends, or says nothing, before it listens
 */
export async function start(
  file: URL,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  show: (line: string) => void,
): Promise<Running> {
  const path = fileURLToPath(file);
  const child = spawn(process.execPath, [path, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  // It ends with this process, whatever the reason.
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  void ended.then(() => process.off("exit", kill));
  try {
    return { url: await listening(child, path, ended, show), stop: () => stop(child, ended), ended };
  } catch (error) {
    kill();
    throw error;
  }
}

function listening(
  child: ChildProcess,
  file: string,
  ended: Promise<number | null>,
  show: (line: string) => void,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${file} doesn't listen after ${DEADLINE_MS} ms`)),
      DEADLINE_MS,
    );
    void ended.then((code) => reject(new Error(`${file} ended with ${code} before it listened`)));
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on("line", (line) => {
        show(line);
        // With CI or FORCE_COLOR set, a process colours its lines also for a pipe.
        const url = /running at (http\S+)/.exec(stripVTControlCharacters(line))?.[1];
        if (!url) return;
        clearTimeout(timer);
        resolve(url);
      });
    }
  });
}

async function stop(child: ChildProcess, ended: Promise<number | null>): Promise<void> {
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), 5000);
  await ended;
  clearTimeout(late);
}

/** The port if nobody has it, else 0: any. */
export function freePort(port: number): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(0));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(port)));
  });
}
