import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Client } from "@perdure/core";

const PROCESS = fileURLToPath(new URL("./engine-process.ts", import.meta.url));

/** An engine of Perdure in a process of its own. */
export interface EngineProcess {
  /** The variables that an endpoint reads. */
  readonly env: Readonly<Record<string, string>>;
  readonly pid: number;
  /** Triggers so many runs at once, and waits until the engine says that they, or `ends` runs in all, have succeeded. */
  runAll(url: string, runs: number, steps: number, ends?: number): Promise<void>;
  stop(): Promise<void>;
}

/** Starts an engine on a PostgreSQL database, or with a SQLite file in a temporary folder. */
export async function startEngine(databaseUrl?: string): Promise<EngineProcess> {
  const child = fork(PROCESS, databaseUrl === undefined ? [] : [databaseUrl], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const [env] = (await once(child, "message")) as [Record<string, string>];
  const { QSTASH_URL: baseUrl = "", QSTASH_TOKEN: token = "" } = env;
  const client = new Client({ baseUrl, token });
  return {
    env,
    pid: child.pid ?? 0,
    async runAll(url, runs, steps, ends = runs) {
      child.send({ expect: ends });
      await once(child, "message");
      const ended = once(child, "message");
      await Promise.all(Array.from({ length: runs }, () => client.trigger({ url, body: steps })));
      await ended;
    },
    async stop() {
      child.send({ stop: true });
      await once(child, "exit");
    },
  };
}
