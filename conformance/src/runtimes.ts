import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Process } from "@perdure/test-support/process";
import { type Bundles, bundles, type Target } from "./bundle.ts";
import type { Server, Start } from "./pair.ts";

const MODULES = fileURLToPath(new URL("../node_modules/", import.meta.url));

/** A JavaScript runtime that comes from npm: how it starts a bundle. */
export interface Runtime {
  /** With its version, as the table in the README names it. */
  readonly name: string;
  readonly target: Target;
  start(file: string, env: Readonly<Record<string, string>>): Process;
}

function node(major: number, packageName: string): Runtime {
  const command = join(MODULES, packageName, "bin", "node");
  return { name: `Node ${major}`, target: "node", start: (file, env) => Process.start(command, [file], env) };
}

const bun: Runtime = {
  name: `Bun ${versionOf("bun")}`,
  target: "bun",
  start: (file, env) => Process.start(join(MODULES, "bun", "bin", "bun.exe"), ["run", file], env),
};

/** What core asks the environment for, and the suite's own. */
const VARIABLES = "PERDURE_*,QSTASH_*,US_EAST_1_*,EU_CENTRAL_1_*,UPSTASH_*,NODE_ENV,CONFORMANCE_*";

const deno: Runtime = {
  name: `Deno ${versionOf("deno")}`,
  target: "deno",
  start: (file, env) => {
    const flags = ["run", "--no-prompt", "--no-config", "--allow-net=127.0.0.1", `--allow-env=${VARIABLES}`];
    const cache = { DENO_DIR: join(dirname(file), "cache"), DENO_NO_UPDATE_CHECK: "1" };
    return Process.start(join(MODULES, "deno", "deno"), [...flags, file], { ...env, ...cache });
  },
};

/** @param flags compatibility flags; the date is the last on which `nodejs_compat` wasn't one by default */
function workerd(name: string, target: Target, flags: readonly string[]): Runtime {
  return {
    name,
    target,
    start: (file, env) => {
      const config = join(dirname(file), `${basename(file, ".mjs")}.capnp`);
      mkdirSync(dirname(config), { recursive: true });
      writeFileSync(config, workerConfig(basename(file), flags, env));
      return Process.start(
        join(MODULES, "workerd", "bin", "workerd"),
        ["serve", config, "--control-fd=1"],
        {},
      );
    },
  };
}

export const runtimes = {
  node20: node(20, "node20"),
  node22: node(22, "node22"),
  node24: {
    ...node(24, ""),
    start: (file: string, env: Readonly<Record<string, string>>) => Process.node(file, [], env),
  },
  bun,
  deno,
  workerd: workerd("workerd", "workerd", []),
  workerdCompat: workerd("workerd with nodejs_compat", "workerd with nodejs_compat", ["nodejs_compat"]),
} as const satisfies Record<string, Runtime>;

const LISTENS = /"port":(\d+)|listening on port (\d+)/;

interface More {
  readonly env?: Readonly<Record<string, string>>;
  /** `/api` by default. */
  readonly prefix?: string;
}

/** Bundles an app, and starts it on a runtime as a process of its own. */
export function startApp(
  app: string,
  runtime: Runtime,
  { env: more = {}, prefix = "/api" }: More = {},
): Start {
  return async (env): Promise<Server> => {
    const made: Bundles = bundles();
    try {
      const process = runtime.start(await made.bundle(app, runtime.target), { ...env, ...more });
      const [, port, other] = await process.line(LISTENS);
      return {
        url: `http://127.0.0.1:${port ?? other}${prefix}`,
        output: () => process.lines.join("\n"),
        stop: async () => {
          await process.kill("SIGKILL");
          made.remove();
        },
      };
    } catch (error) {
      made.remove();
      throw error;
    }
  };
}

function versionOf(packageName: string): string {
  const { version } = createRequire(import.meta.url)(`${packageName}/package.json`) as { version: string };
  return version.split(".").slice(0, 2).join(".");
}

function workerConfig(file: string, flags: readonly string[], env: Readonly<Record<string, string>>): string {
  const bindings = Object.entries(env).map(
    ([name, value]) => `(name = ${JSON.stringify(name)}, text = ${JSON.stringify(value)})`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "app", worker = .app),
    (name = "internet", network = (allow = ["private"]))
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "app")]
);
const app :Workerd.Worker = (
  modules = [(name = "app", esModule = embed ${JSON.stringify(file)})],
  compatibilityDate = "2026-08-03",
  compatibilityFlags = ${JSON.stringify(flags)},
  bindings = [${bindings.join(", ")}]
);
`;
}
