// The applications in conformance/frameworks. They are a pnpm workspace of their own, with a lockfile of its own, so that
// only who asks for them installs them; our packages reach them packed, as they would be published.
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "./child.mjs";
import { pack } from "./package.mjs";
import { environment, ROOT } from "./paths.mjs";

const WORKSPACE = join(ROOT, "conformance", "frameworks");
const PACKED = join(WORKSPACE, ".packed");
const WORKFLOWS = join(ROOT, "conformance", "src", "workflows.ts");
const BUILDS_AT_ONCE = 2;

/** Where each one has its workflows, and what its build leaves behind. */
const APPS = {
  nextjs: { workflows: "workflows.ts", built: [".next"] },
  sveltekit: { workflows: "src/lib/workflows.ts", built: ["build", ".svelte-kit"] },
  astro: { workflows: "src/workflows.ts", built: ["dist", ".astro"] },
  "solid-start": { workflows: "src/workflows.ts", built: [".output"] },
  "tanstack-start": { workflows: "src/workflows.ts", built: [".output", "src/routeTree.gen.ts"] },
  "react-router": { workflows: "app/workflows.ts", built: ["build", ".react-router"] },
  nuxt: { workflows: "server/workflows.ts", built: [".output", ".nuxt"] },
};

/** Those that `npm test` leaves to `npm run test:frameworks`. */
export const OTHER_APPS = Object.keys(APPS).filter((name) => name !== "nextjs");

/** Installs the applications and builds each with its framework's own tool, from nothing. Yields a check for each. */
export async function* buildApps(names) {
  await packPackages();
  await install(names);
  const waiting = [...names];
  const building = new Map();
  while (waiting.length > 0 || building.size > 0) {
    while (waiting.length > 0 && building.size < BUILDS_AT_ONCE) {
      const name = waiting.shift();
      building.set(name, build(name));
    }
    const check = await Promise.race(building.values());
    building.delete(check.app);
    yield check;
  }
}

async function packPackages() {
  rmSync(PACKED, { recursive: true, force: true });
  for (const source of ["packages/core", "packages/adapters"]) {
    const { check } = await pack(source, PACKED);
    if (!check.ok) throw new Error(`${check.name}: ${check.output}`);
  }
}

async function install(names) {
  const filters = names.flatMap((name) => ["--filter", `./${name}`]);
  const { code, output } = await tool("pnpm", [...filters, "install", "--frozen-lockfile"], WORKSPACE);
  if (code !== 0) throw new Error(output);
}

async function build(app) {
  const folder = join(WORKSPACE, app);
  const { workflows, built } = APPS[app];
  for (const left of built) rmSync(join(folder, left), { recursive: true, force: true });
  mkdirSync(dirname(join(folder, workflows)), { recursive: true });
  copyFileSync(WORKFLOWS, join(folder, workflows));
  const { code, output } = await tool("pnpm", ["run", "build"], folder);
  return { app, name: `${app} build`, ok: code === 0, output };
}

const tool = (command, args, cwd) => run(command, args, { capture: true, cwd, env: environment(QUIET) });

/** None of them is to tell anyone what is built here. */
const QUIET = { ASTRO_TELEMETRY_DISABLED: "1", NEXT_TELEMETRY_DISABLED: "1", NUXT_TELEMETRY_DISABLED: "1" };
