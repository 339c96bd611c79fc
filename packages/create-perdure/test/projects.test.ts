import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pack, ROOT } from "@perdure/test-support/pack";
import { Process } from "@perdure/test-support/process";
import { sampled } from "@perdure/test-support/sample";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Choice } from "../src/choices.ts";
import { writeProject } from "../src/write-project.ts";

/** Each framework and each use case at least once. */
const PROJECTS: readonly Pick<Choice, "framework" | "useCase">[] = [
  { framework: "nextjs", useCase: "order" },
  { framework: "express", useCase: "onboarding" },
  { framework: "hono", useCase: "order" },
  { framework: "cloudflare", useCase: "order" },
  { framework: "bun", useCase: "approval" },
  { framework: "deno", useCase: "order" },
];
const PACKED = ["core", "adapters", "engine", "test"];
/** The workspace's pnpm, Node, Bun and Deno. */
const PATH = [
  join(ROOT, "node_modules", ".bin"),
  join(ROOT, "packages", "create-perdure", "node_modules", ".bin"),
  process.env.PATH,
].join(delimiter);

const folder = mkdtempSync(join(tmpdir(), "perdure projects "));
const tarballs = join(folder, "packed");
beforeAll(() => {
  for (const name of PACKED) pack(name, tarballs);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** A written and installed project. */
class Project {
  readonly #folder: string;

  constructor(path: string) {
    this.#folder = path;
  }

  start(command: string, env: Readonly<Record<string, string>> = {}): Process {
    const line = `cd ${JSON.stringify(this.#folder)} && exec ${command}`;
    return Process.start("sh", ["-c", line], {
      PATH,
      CI: "true",
      WRANGLER_SEND_METRICS: "false",
      NEXT_TELEMETRY_DISABLED: "1",
      ...env,
    });
  }

  async run(command: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    const started = this.start(command, env);
    const code = await started.ended;
    const said = started.lines.join("\n");
    expect({ command, code, said: code === 0 ? "" : said }).toEqual({ command, code: 0, said: "" });
    return said;
  }

  edit(file: string, change: (text: string) => string): void {
    const path = join(this.#folder, file);
    writeFileSync(path, change(readFileSync(path, "utf8")));
  }
}

describe.each(sampled(PROJECTS, 3))("a project with $framework and $useCase", ({ framework, useCase }) => {
  it("installs, passes its types and tests, and runs beside the engine", async () => {
    const path = join(folder, framework);
    writeProject({ folder: path, framework, useCase, packageManager: "pnpm", install: false, tarballs });
    const project = new Project(path);
    await project.run("pnpm install --prefer-offline --no-frozen-lockfile");
    if (framework === "nextjs") await project.run("pnpm exec next typegen");
    await project.run("pnpm run types");
    await project.run("pnpm test");

    const [port, enginePort] = [await freePort(), await freePort()];
    if (framework === "cloudflare") {
      project.edit("wrangler.jsonc", (text) => text.replace("3000", String(port)));
      project.edit(".dev.vars", (text) => `${text}PERDURE_DEV_PORT=${enginePort}\n`);
    }
    const env = { PORT: String(port), PERDURE_DEV_PORT: String(enginePort) };
    const dev = project.start("pnpm run dev", env);
    try {
      await expect
        .poll(() =>
          fetch(`http://localhost:${port}/`).then(
            ({ status }) => status,
            () => 0,
          ),
        )
        .toBe(200);
      const engine = { ...env, PERDURE_URL: `http://127.0.0.1:${enginePort}` };
      // The approval and the onboarding take days: they only start here.
      const wait = useCase === "order" ? " --wait 2m" : "";
      const trigger = `pnpm exec perdure trigger http://localhost:${port}/${useCase} --body @payload.json${wait}`;
      const said = await project.run(trigger, engine);
      if (useCase === "order") expect(said).toContain('"parcel": "parcel_7"');
      else await dev.line(useCase === "approval" ? /Ada asks for 120/ : /Mail to ada@example\.com: Welcome/);
    } finally {
      await dev.kill("SIGTERM");
    }
  });
});
