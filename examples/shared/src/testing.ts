import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Order } from "./order.ts";
import type { Progress } from "./progress.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
/** `… running at URL`, `Ready on URL`, `Local: URL`. */
const LISTENS = /\s(http:\/\/(?:localhost|127\.0\.0\.1|0\.0\.0\.0):[1-9]\d*)/;

/** The commands of an example's README: the lines of its blocks of shell, without their comments. */
export function commandsOf(example: string): string[] {
  const readme = readFileSync(join(ROOT, "examples", example, "README.md"), "utf8");
  return [...readme.matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
    .flatMap(([, block = ""]) => block.split("\n"))
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line !== "");
}

/** A command of a README, with all processes it has started. */
export class Command {
  /** Its output so far. */
  readonly lines: string[] = [];
  /** Resolves with its exit code; `null` when a signal has ended it. */
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;

  /** @param line run in the root of the repository, by a shell */
  constructor(line: string, env: Readonly<Record<string, string>> = {}) {
    // A group of its own, so that it ends with everything it has started.
    this.#child = spawn(line, {
      shell: true,
      detached: true,
      cwd: ROOT,
      env: { ...process.env, NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.ended = new Promise((resolve) => this.#child.once("close", resolve));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream) createInterface({ input: stream }).on("line", (text) => this.lines.push(text));
    }
  }

  /** The first line that matches. @throws when the command ends without it */
  async line(pattern: RegExp): Promise<string> {
    let over = false;
    void this.ended.then(() => {
      over = true;
    });
    for (;;) {
      const found = this.lines.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      if (over) throw new Error(`The command ended without ${pattern}:\n${this.lines.join("\n")}`);
      await rest(20);
    }
  }

  /** Where it listens, as the first line with a URL of this machine says. */
  async url(): Promise<string> {
    const [, url = ""] = LISTENS.exec(await this.line(LISTENS)) ?? [];
    return url.replace(/localhost|0\.0\.0\.0/, "127.0.0.1");
  }

  async stop(): Promise<void> {
    this.#kill("SIGTERM");
    const late = setTimeout(() => this.#kill("SIGKILL"), 5000);
    await this.ended;
    clearTimeout(late);
  }

  #kill(signal: NodeJS.Signals): void {
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, signal);
    } catch {
      // All of them have ended.
    }
  }
}

/** An example, up as its README says: first the engine, then the app. */
export interface Example {
  readonly engine: string;
  readonly url: string;
  readonly app: Command;
  stop(): Promise<void>;
}

/** Returns further arguments of the app's command, for the engine's URL and a folder that is deleted after the test. */
type Extra = (engine: string, folder: string) => string;

/** Runs both commands of an example's README. Only ports and the database are others, so that several can run at once. */
export function startExample(name: string, extra: Extra = () => ""): Promise<Example> {
  const [first = "", second = "", ...more] = commandsOf(name);
  if (!second || more.length > 0) throw new TypeError(`The README of ${name} has other than two commands.`);
  return startBoth(first, second, extra);
}

/** Runs the engine by one command, then an app by another. */
export async function startBoth(first: string, second: string, extra: Extra): Promise<Example> {
  const folder = mkdtempSync(join(tmpdir(), "perdure-example-"));
  const started: Command[] = [];
  const start = (line: string, env = {}) => {
    const command = new Command(line, env);
    started.push(command);
    return command;
  };
  const stop = async () => {
    await Promise.all(started.map((command) => command.stop()));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const engine = await start(`${first} --port 0 --db '${folder}/dev.db'`).url();
    const app = start(`${second}${extra(engine, folder)}`, { PERDURE_URL: engine, PORT: "0" });
    return { engine, app, url: await app.url(), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Places an order at a desk, and waits until its run has ended. */
export async function place(url: string, order: Order): Promise<Progress> {
  const answer = await fetch(`${url}/orders`, { method: "POST", body: JSON.stringify(order) });
  if (answer.status !== 202) throw new Error(`${answer.status}: ${await answer.text()}`);
  const { workflowRunId } = (await answer.json()) as { workflowRunId: string };
  for (;;) {
    const progress = (await (await fetch(`${url}/orders/${workflowRunId}`)).json()) as Progress;
    if (progress.ended) return progress;
    await rest(100);
  }
}

/** The ends of the two sample orders, on each platform. */
export const EXPECTED = {
  good: {
    state: "RUN_SUCCESS",
    result: JSON.stringify({ order: "1001", paid: "payment-4242", parcel: "parcel-1001" }),
  },
  bad: { state: "RUN_FAILED", failure: { state: "CALLBACK_SUCCESS" } },
} as const;

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
