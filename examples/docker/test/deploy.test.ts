import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@perdure/core";
import { CLI, Process, steadyPort, temporaryFolder } from "@perdure/test-support/process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** The parts of a service of Compose that these tests read. */
interface Service {
  readonly build?: string | { readonly context: string; readonly target?: string };
  readonly image?: string;
  readonly env_file?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: readonly string[] | Readonly<Record<string, object>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
}

/** A stage of a Dockerfile: its instructions, each with its lines joined. */
interface Stage {
  readonly name: string;
  readonly lines: readonly string[];
}

function stagesOf(dockerfile: string): Stage[] {
  const lines = dockerfile
    .replace(/\\\n\s*/g, "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  const stages: { name: string; lines: string[] }[] = [];
  for (const line of lines) {
    const [, name] = /^FROM \S+(?: AS (\S+))?$/.exec(line) ?? [];
    if (line.startsWith("FROM ")) stages.push({ name: name ?? "", lines: [line] });
    else stages.at(-1)?.lines.push(line);
  }
  return stages;
}

/** The argument of the last instruction of this name. */
function lastOf({ lines }: Stage, instruction: string): string {
  return lines.findLast((line) => line.startsWith(`${instruction} `))?.slice(instruction.length + 1) ?? "";
}

const pairsOf = (stage: Stage): Record<string, string> =>
  Object.fromEntries(
    stage.lines
      .filter((line) => line.startsWith("ENV "))
      .flatMap((line) =>
        [...line.matchAll(/(\w+)=(\S+)/g)].map(([, name = "", value = ""]) => [name, value]),
      ),
  );

const compose: Compose = parse(read("compose.yaml"), { merge: true });
const stages = stagesOf(read("Dockerfile"));
const stage = (name: string): Stage => stages.find((one) => one.name === name) ?? { name, lines: [] };
/** The page's own Dockerfile and its Compose files. */
const page = read("docs/deploy/docker.md");
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(
    ([, block = ""]) => block,
  );

/** Runs the command of a health check. @returns its exit code */
async function check(command: readonly string[], port: number): Promise<number | null> {
  const [program, flag = "", script = ""] = command;
  expect([program, flag]).toEqual(["node", "-e"]);
  const child = spawn(process.execPath, [flag, script.replace(":8080", `:${port}`)]);
  const [code] = await once(child, "exit");
  return code;
}

/** The variables that `perdure start` reads, as its help names them. */
async function variablesOfStart(): Promise<Set<string>> {
  const help = Process.node(CLI, ["start", "--help"], {});
  await help.ended;
  return new Set(help.lines.join("\n").match(/PERDURE_[A-Z_]+/g));
}

describe("the Dockerfile", () => {
  it("runs as a user without rights, with a health check and the signals of its container", () => {
    const { lines } = stage("engine");
    const user = lines.findIndex((line) => line.startsWith("USER "));
    expect(lines[user]).toBe("USER node");
    expect(lines.slice(user).some((line) => line.startsWith("RUN "))).toBe(false);
    expect(lastOf(stage("endpoint"), "USER")).toBe("node");
    expect(lastOf(stage("engine"), "HEALTHCHECK")).toMatch(/^--interval=\d+s .*CMD \["node"/);
    // A shell, or npx, would keep SIGTERM to itself.
    expect(JSON.parse(lastOf(stage("engine"), "ENTRYPOINT"))[0]).toBe("node");
    expect(JSON.parse(lastOf(stage("endpoint"), "CMD"))[0]).toBe("node");
  });

  it("names commands, files, packages and variables that exist", async () => {
    const known = await variablesOfStart();
    for (const name of Object.keys(pairsOf(stage("engine")))) expect(known).toContain(name);
    const help = Process.node(CLI, ["--help"], {});
    await help.ended;
    for (const command of JSON.parse(lastOf(stage("engine"), "CMD")))
      expect(help.lines.join("\n")).toMatch(new RegExp(`^  ${command} `, "m"));
    const [, entry = ""] = JSON.parse(lastOf(stage("engine"), "ENTRYPOINT"));
    const { publishConfig } = JSON.parse(read("packages/engine/package.json"));
    expect(entry).toBe(`/engine/node_modules/@perdure/engine/${publishConfig.bin.perdure.slice(2)}`);
    const [, program = ""] = JSON.parse(lastOf(stage("endpoint"), "CMD"));
    expect(existsSync(join(ROOT, program))).toBe(true);
    const { packageManager, dependencies } = JSON.parse(read("package.json"));
    const text = read("Dockerfile");
    for (const [pnpm] of text.matchAll(/pnpm@\S+/g)) expect(pnpm).toBe(packageManager);
    const [major] = dependencies.node.split(".");
    for (const [, version] of text.matchAll(/^FROM node:(\d+)/gm)) expect(version).toBe(major);
    const names = ["core", "engine", "dashboard"].map(
      (name) => JSON.parse(read(`packages/${name}/package.json`)).name,
    );
    const filters = [...text.matchAll(/--filter "?([@\w/-]+)/g)].map(([, name]) => name);
    const own = JSON.parse(read("examples/docker/package.json")).name;
    expect([...names, own, "perdure"]).toEqual(expect.arrayContaining(filters));
    for (const [, folder = ""] of text.matchAll(/--dir (\S+)/g))
      expect(existsSync(join(ROOT, folder))).toBe(true);
  });
});

describe.each([
  ["compose.yaml", compose],
  ...blocks("yaml").map((block, at): [string, Compose] => [
    `block ${at + 1} of docs/deploy/docker.md`,
    parse(block, { merge: true }),
  ]),
])("%s", (name, { services, volumes = {} }) => {
  const all = Object.entries(services);
  const textOf = JSON.stringify(services);

  it("sets variables that exist", async () => {
    const ofApps = read("docs/configuration.md").match(/PERDURE_[A-Z_]+/g) ?? [];
    const known = new Set([...(await variablesOfStart()), ...ofApps]);
    const given = all.flatMap(([, { environment = {} }]) => Object.keys(environment));
    expect(given.filter((one) => one.startsWith("PERDURE_")).filter((one) => !known.has(one))).toEqual([]);
    expect(given.length).toBeGreaterThan(0);
  });

  it("names services and volumes that it has", () => {
    const ofDependencies = all.flatMap(([, { depends_on: on = [] }]) =>
      Array.isArray(on) ? on : Object.keys(on),
    );
    const ofUrls = [...textOf.matchAll(/(?:http|postgres):\/\/(?:[^@"]*@)?([\w-]+):\d+/g)].map(
      ([, host]) => host,
    );
    const allowed = all.map(([, { environment = {} }]) => environment.PERDURE_ALLOW_DESTINATIONS);
    const hosts = [...ofDependencies, ...ofUrls, ...allowed.filter((one) => one !== undefined)];
    expect(hosts.filter((host) => host !== "127.0.0.1" && !(host in services))).toEqual([]);
    const mounted = all.flatMap(([, one]) => one.volumes ?? []).map((one) => one.split(":")[0] ?? "");
    for (const source of mounted)
      expect(
        source.startsWith(".") ? existsSync(join(ROOT, source)) : source in volumes,
        `${name}: ${source}`,
      ).toBe(true);
  });

  it("opens ports on this machine only, but for the app's own", () => {
    const opened = all.filter(([service]) => service !== "app").flatMap(([, { ports = [] }]) => ports);
    for (const port of opened) expect(port).toMatch(/^127\.0\.0\.1:/);
  });
});

describe("compose.yaml", () => {
  it("builds stages of the Dockerfile, and runs two engines in front of which stands nginx", () => {
    const targets = Object.values(compose.services).flatMap(({ build }) =>
      typeof build === "object" && build.target !== undefined ? [build.target] : [],
    );
    expect([...new Set(targets)].sort()).toEqual(["endpoint", "engine"]);
    for (const target of targets) expect(stage(target).lines.length).toBeGreaterThan(0);
    const engines = Object.entries(compose.services).filter(([, { image }]) => image === "perdure");
    expect(engines.map(([service]) => service)).toEqual(["engine-1", "engine-2"]);
    const proxied = [...read("examples/docker/nginx.conf").matchAll(/^\s*server ([\w-]+):(\d+)/gm)];
    const port = pairsOf(stage("engine")).PERDURE_PORT;
    expect(proxied.map(([, host, to]) => [host, to])).toEqual(engines.map(([service]) => [service, port]));
    for (const [, one] of engines)
      expect(one).toMatchObject({ read_only: true, cap_drop: ["ALL"], env_file: ".env" });
  });

  it("gives the endpoint the token and the keys, and no password of the database", () => {
    const { env_file, environment = {} } = compose.services.endpoint ?? {};
    expect(env_file).toBeUndefined();
    expect(Object.keys(environment).sort()).toEqual(["PERDURE_URL", ...Object.keys(SECRETS)].sort());
  });
});

const SECRETS = {
  PERDURE_TOKEN: "token-0123456789abcdef",
  PERDURE_CURRENT_SIGNING_KEY: "sig_a0123456789abcdef",
  PERDURE_NEXT_SIGNING_KEY: "sig_b0123456789abcdef",
};

describe("the containers' programs", () => {
  let folder: ReturnType<typeof temporaryFolder>;
  const running: Process[] = [];
  beforeEach(() => {
    folder = temporaryFolder();
  });
  afterEach(async () => {
    for (const process of running.splice(0)) await process.kill("SIGKILL");
    folder.remove();
  });

  it("are an engine that is ready and an endpoint whose run ends", async () => {
    const [port, own] = [await steadyPort(), await steadyPort()];
    const environment = { ...compose.services["engine-1"]?.environment };
    const settings = {
      ...pairsOf(stage("engine")),
      ...environment,
      PERDURE_DB: join(folder.path, "perdure.db"),
      PERDURE_PORT: String(port),
      // There, a name that Compose gives.
      PERDURE_ALLOW_DESTINATIONS: "127.0.0.1",
    };
    const health = JSON.parse(lastOf(stage("engine"), "HEALTHCHECK").replace(/^.*CMD /, ""));
    expect(await check(health, port)).toBe(1);
    const engine = Process.node(CLI, JSON.parse(lastOf(stage("engine"), "CMD")), { ...SECRETS, ...settings });
    running.push(engine);
    await engine.line(/"listening"/);
    expect(await check(health, port)).toBe(0);
    const PERDURE_URL = `http://127.0.0.1:${port}`;
    const [, program = ""] = JSON.parse(lastOf(stage("endpoint"), "CMD"));
    const endpoint = Process.node(join(ROOT, program), [], { ...SECRETS, PERDURE_URL, PORT: String(own) });
    running.push(endpoint);
    await endpoint.line(/endpoint running/);
    const client = new Client({ baseUrl: PERDURE_URL, token: SECRETS.PERDURE_TOKEN });
    const { workflowRunId } = await client.trigger({ url: `http://127.0.0.1:${own}/greet`, body: "Ada" });
    expect(await client.runs.wait(workflowRunId)).toMatchObject({
      workflowState: "RUN_SUCCESS",
      result: "HELLO, ADA!",
    });
    expect(await endpoint.kill("SIGTERM")).toBe(0);
    expect(await engine.kill("SIGTERM")).toBe(0);
  });

  it("make the secrets for .env, as the page says", async () => {
    const [line = ""] = /docker run .*perdure (keys new)/.exec(page)?.slice(1) ?? [];
    const keys = Process.node(CLI, line.split(" "), {});
    running.push(keys);
    await keys.ended;
    for (const name of Object.keys(SECRETS))
      expect(keys.lines.join("\n")).toMatch(new RegExp(`^${name}=\\S+$`, "m"));
  });
});
