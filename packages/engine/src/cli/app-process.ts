import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { upstashName, type VariableName } from "@perdure/core/protocol";

/** The app that `perdure dev -- <command>` runs beside the engine. */
export interface AppProcess {
  /** The exit code, once the app has ended; 128 and the signal's number after a signal, as in a shell. */
  readonly ended: Promise<number>;
  /** Sends a signal to the app, unless it has ended. */
  signal(signal: NodeJS.Signals): void;
}

/**
 * Starts the app with the terminal of this process, and with `variables` in its environment. A command that
 * can't be started ends with code 127, after a line on stderr.
 *
 * @param command the program, and its arguments
 */
export function startApp(
  command: readonly string[],
  variables: Readonly<Record<string, string>>,
): AppProcess {
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    stdio: "inherit",
    env: appEnvironment(process.env, variables),
    // Windows finds `npm` and other scripts only through its shell.
    shell: process.platform === "win32",
  });
  return {
    ended: exitCodeOf(child, program),
    signal: (signal) => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    },
  };
}

/** Variables with which clients would use another address, or other names, than those of the engine. */
const OVERRIDING: readonly VariableName[] = ["PERDURE_DEV", "PERDURE_REGION"];

function appEnvironment(
  env: NodeJS.ProcessEnv,
  variables: Readonly<Record<string, string>>,
): NodeJS.ProcessEnv {
  const dropped = OVERRIDING.flatMap((name) => [name, upstashName(name)]);
  const kept = Object.entries(env).filter(([name]) => !dropped.includes(name));
  return { ...Object.fromEntries(kept), ...variables };
}

function exitCodeOf(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve) => {
    child.once("error", (error) => {
      const isUnknown = (error as NodeJS.ErrnoException).code === "ENOENT";
      console.error(`"${program}" can't be started: ${isUnknown ? "no such command" : error.message}.`);
      resolve(127);
    });
    child.once("exit", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}
