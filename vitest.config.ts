import { accessSync, constants, globSync, statfsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { installedPostgres } from "@perdure/test-support/installed-postgres";
import type { Mode } from "@perdure/test-support/mode";
import { isSample, sampledFiles, settingOfRepeats } from "@perdure/test-support/sample";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

interface Suite {
  readonly include: string | readonly string[];
  /** How the engine has steps carried out. Default: inline. Tests read it by `@perdure/test-support/mode`. */
  readonly mode?: Mode;
  /** Where engines keep their tables. Default: SQLite. Tests read it by `@perdure/test-support/mode`. */
  readonly store?: "postgres";
  /** The folder of the programs of PostgreSQL. Default: those of the npm package. */
  readonly programs?: string;
  /** True for files that another project runs, too, in the other mode or on the other store. A sample has each second file. */
  readonly again?: boolean;
  readonly exclude?: string;
  /** Prepares all files. */
  readonly globalSetup?: string | string[];
  /** True for tests that install or build applications: their files need a disk's space. */
  readonly onDisk?: boolean;
}

/**
 * Milliseconds of a test, or of what prepares one: many times what the slowest ones take, since a machine may be busy. Polls
 * are shorter, so that the test says what it waited for.
 */
const TIMEOUT = 240_000;
const POLL_TIMEOUT = 60_000;

const IN_MEMORY = "/dev/shm";
const BYTES_IN_MEMORY = 2 ** 31;

/**
 * The folder for temporary files, in memory where the system has room for them there: tests open a thousand databases, and
 * each commit would wait for the disk. `TMPDIR` names another folder.
 */
function temporaryFiles(): Readonly<Record<string, string>> {
  if (process.env.TMPDIR) return {};
  try {
    accessSync(IN_MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(IN_MEMORY);
    return bavail * bsize < BYTES_IN_MEMORY ? {} : { TMPDIR: IN_MEMORY };
  } catch {
    return {};
  }
}

const NEXTJS = "conformance/frameworks/nextjs.test.ts";
/** Installs the applications. Each of their test files builds its own. */
const APPLICATIONS = "conformance/frameworks/setup.ts";

/** Packs the published packages. */
const PACKAGES = "packages/test-support/src/pack-setup.ts";

/** Creates a database for the tests of a project, on a PostgreSQL server that all of them share. */
const POSTGRES_SERVER = "packages/test-support/src/postgres-setup.ts";

/** Installs the pooler. */
const PGBOUNCER = "packages/test-support/src/pgbouncer-setup.ts";

/** Fails each file of a project on both stores that uses no database of PostgreSQL. */
const ON_POSTGRES = "packages/test-support/src/on-postgres.ts";

/** Bundles the programs that tests start, such as `perdure`. */
const PROGRAMS = "packages/test-support/src/programs-setup.ts";

/** Suites of steps, failures, rollbacks, resumptions and middleware, which run in both modes. */
const IN_BOTH_MODES = {
  core: ["around", "failing", "middleware", "replay", "rollback", "steps"],
  e2e: [
    ...[
      "catching",
      "failure-functions",
      "failures",
      "policy",
      "random-workflows",
      "rollback-ends",
      "rollback-resume",
    ],
    ...["rollback-states", "rollbacks", "run-ends", "run-waits", "kill", "failures-kill", "rollback-kills"],
  ],
};

/**
 * Suites of the engine's behaviour, which run on both kinds of store. Left out on PostgreSQL: what uses no store, or needs a
 * file of SQLite's.
 */
const ON_BOTH_STORES = [
  ...["messages/*", "flow/*", "failures/!(full-disk|closed-store)", "runs/*", "inline/*"],
  "in-process/!(client-options)",
  ...["api/!(stream|fuzz|search|browser-guard|errors|json-answer|openapi|option-names|option-values|server)"],
];

/** The suites of what only an engine on PostgreSQL has to do. */
const ON_POSTGRES_ONLY: Suite = {
  include: "packages/engine/test/postgres/**/*.test.ts",
  globalSetup: [PROGRAMS, PGBOUNCER, POSTGRES_SERVER],
};

/** The suites of the engine's behaviour again. */
const ENGINE_ON_POSTGRES: Suite = {
  include: ON_BOTH_STORES.map((name) => `packages/engine/test/${name}.test.ts`),
  store: "postgres",
  again: true,
  globalSetup: POSTGRES_SERVER,
};

/** Further suites on PostgreSQL: for most of what they test, the store makes no difference. */
const CLIENTS_ON_POSTGRES = [
  ...["addresses", "both-sdks", "clocks", "compressed", "failure-functions", "failures-kill", "forged-calls"],
  ...["inline-faults", "kill", "large-call-answers", "older-clients", "policy", "python-client", "qstash-*"],
  ...["refusals", "rollback-kills", "run-ids", "run-waits", "scheduled-runs", "steps"],
].map((name) => `e2e/test/${name}.test.ts`);
const API_ON_POSTGRES = ["stream", "fuzz"].map((name) => `packages/engine/test/api/${name}.test.ts`);

/**
 * The vitest projects, in the order in which they run: what takes longest begins first, what waits for leases and browsers runs
 * beside what computes, and the last ones have many short files, so that no worker runs alone at the end.
 */
const suites: Readonly<Record<string, Suite>> = {
  projects: {
    include: "packages/create-perdure/test/projects.test.ts",
    globalSetup: PACKAGES,
    onDisk: true,
  },
  nextjs: { include: NEXTJS, globalSetup: [PROGRAMS, PACKAGES, APPLICATIONS], onDisk: true },
  frameworks: {
    include: "conformance/frameworks/*.test.ts",
    exclude: NEXTJS,
    globalSetup: [PROGRAMS, PACKAGES, APPLICATIONS],
    onDisk: true,
  },
  postgres: ON_POSTGRES_ONLY,
  // The engine on each runtime that it promises to run on.
  runtimes: { include: "packages/engine/test/runtimes/*.test.ts", globalSetup: PROGRAMS },
  e2e: { include: "e2e/test/**/*.test.ts", globalSetup: PROGRAMS },
  dashboard: {
    include: "packages/dashboard/test/**/*.test.ts",
    globalSetup: "packages/dashboard/test/setup.ts",
  },
  conformance: { include: "conformance/test/**/*.test.ts" },
  examples: { include: "examples/*/test/**/*.test.ts", globalSetup: PROGRAMS },
  packages: { include: "tools/packages/*.test.ts", globalSetup: PACKAGES, onDisk: true },
  "e2e-one-step": {
    include: IN_BOTH_MODES.e2e.map((name) => `e2e/test/${name}.test.ts`),
    mode: "one step a delivery",
    again: true,
    globalSetup: PROGRAMS,
  },
  // Long suites have fewer cases on PostgreSQL.
  "e2e-postgres": {
    include: [
      ...["catching", "failures", "inline-model", "random-workflows", "rollback-ends"],
      ...["rollback-resume", "rollback-states", "rollbacks", "run-ends"],
    ].map((name) => `e2e/test/${name}.test.ts`),
    store: "postgres",
    again: true,
    globalSetup: POSTGRES_SERVER,
  },
  // The suites of clients, of processes that are killed, and of the rest of the API. Only `.ci/run` runs them on PostgreSQL.
  "clients-postgres": {
    include: [...CLIENTS_ON_POSTGRES, ...API_ON_POSTGRES],
    store: "postgres",
    globalSetup: [PROGRAMS, POSTGRES_SERVER],
  },
  tools: {
    include: ["tools/**/*.test.ts", "packages/test-support/test/*.test.ts"],
    exclude: "tools/packages/**",
  },
  site: { include: "site/test/*.test.ts" },
  otel: { include: "packages/otel/test/**/*.test.ts", globalSetup: PROGRAMS },
  "create-perdure": { include: "packages/create-perdure/test/create.test.ts" },
  test: { include: "packages/test/test/**/*.test.ts" },
  adapters: { include: "packages/adapters/test/**/*.test.ts" },
  core: {
    include: "packages/core/test/**/*.test.ts",
    mode: "one step a delivery",
  },
  "core-inline": {
    include: IN_BOTH_MODES.core.map((name) => `packages/core/test/${name}.test.ts`),
  },
  "engine-postgres": ENGINE_ON_POSTGRES,
  engine: {
    include: "packages/engine/test/**/*.test.ts",
    exclude: "packages/engine/test/{postgres,runtimes}/**",
    globalSetup: PROGRAMS,
  },
  ...onInstalledPostgres(),
};

/** The suites on PostgreSQL once more, on the version that the machine has, where it has one. Only `.ci/run` runs them. */
function onInstalledPostgres(): Readonly<Record<string, Suite>> {
  const programs = installedPostgres();
  if (programs === undefined) return {};
  return {
    "installed-postgres": { ...ON_POSTGRES_ONLY, programs },
    "engine-installed-postgres": { ...ENGINE_ON_POSTGRES, programs },
  };
}

/** `pnpm vitest --project core` runs one of them. */
export const PROJECTS: readonly string[] = Object.keys(suites);

/**
 * Begins with the slowest files of a project, as the last run found them. The files of a project stay together: a worker keeps
 * the modules that it has loaded for the next file, and ends with the project.
 */
class ProjectByProject extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ project }: TestSpecification): number => PROJECTS.indexOf(project.name);
    const sorted = await super.sort(files);
    return sorted.sort((one, other) => place(one) - place(other));
  }
}

const inMemory = temporaryFiles();

const filesOf = (patterns: readonly string[], again = false): readonly string[] =>
  again && isSample() ? sampledFiles(globSync(patterns, { cwd: import.meta.dirname }).sort()) : patterns;

const projects = Object.entries(suites).map(
  ([name, { include, again, exclude, mode, store, programs, onDisk, ...how }]) => ({
    test: {
      name,
      include: [...filesOf([include].flat(), again)],
      exclude: ["**/node_modules/**", ...(exclude === undefined ? [] : [exclude])],
      testTimeout: TIMEOUT,
      hookTimeout: TIMEOUT,
      ...(store === "postgres" ? { setupFiles: ON_POSTGRES } : {}),
      env: {
        TEST_MODE: mode ?? "inline",
        TEST_STORE: store ?? "sqlite",
        ...(programs === undefined ? {} : { TEST_POSTGRES_PROGRAMS: programs }),
        ...(onDisk ? {} : inMemory),
        ...(again ? settingOfRepeats() : {}),
      },
      // The files of a worker share modules. A file that changes one, or a global, changes it back; @hono/node-server does so unless
      // it is told not to.
      isolate: false,
      expect: { poll: { timeout: POLL_TIMEOUT } },
      ...how,
    },
  }),
);

export default defineConfig({
  test: {
    // The console shows the output of tests that fail.
    silent: "passed-only",
    slowTestThreshold: 10_000,
    // Vitest's default keeps one core for itself. It has little to do, and many tests wait for processes, leases and browsers.
    maxWorkers: availableParallelism() + 2,
    sequence: { sequencer: ProjectByProject },
    projects,
  },
});
