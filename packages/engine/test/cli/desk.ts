import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { INHERITED } from "@perdure/test-support/inherited";
import { programOf } from "@perdure/test-support/programs";
import { afterEach, beforeEach, expect } from "vitest";

const CLI = programOf(fileURLToPath(new URL("../../src/cli.ts", import.meta.url)));

/** A process of the command line. */
export interface Command {
  readonly child: ChildProcess;
  /** Everything it has said so far. */
  readonly said: () => string;
  readonly saying: (text: string | RegExp) => Promise<void>;
  /** Where the engine runs, as its banner says. */
  readonly url: () => string;
  readonly exit: () => Promise<number | null>;
}

/** A folder in which the commands of each test run. */
export interface Desk {
  readonly folder: () => string;
  readonly run: (args: readonly string[], env?: Record<string, string>) => Command;
  readonly dev: (flags: readonly string[], env?: Record<string, string>) => Command;
}

/** A new folder for each test of a file, whose processes end with it. */
export function useDesk(): Desk {
  let folder = "";
  const children: ChildProcess[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "perdure cli "));
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGKILL");
        await once(child, "exit");
      }
    }
    rmSync(folder, { recursive: true });
  });
  const run = (args: readonly string[], env: Record<string, string> = {}): Command => {
    const child = spawn(process.execPath, [CLI, ...args], {
      cwd: folder,
      env: { ...INHERITED, NO_COLOR: "1", ...env },
    });
    children.push(child);
    let said = "";
    child.stdout.on("data", (part) => (said += part));
    child.stderr.on("data", (part) => (said += part));
    const ended = once(child, "close");
    return {
      child,
      said: () => said,
      saying: (text) => expect.poll(() => said, { interval: 10 }).toMatch(text),
      url: () => /running at (\S+)/.exec(said)?.[1] ?? "",
      exit: async () => (await ended)[0],
    };
  };
  return { folder: () => folder, run, dev: (flags, env) => run(["dev", ...flags], env) };
}
