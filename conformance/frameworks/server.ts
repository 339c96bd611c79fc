import { fileURLToPath } from "node:url";
import { Process, steadyPort } from "@perdure/test-support/process";
import { beforeAll, expect } from "vitest";
import type { Start } from "../src/pair.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));

/** A production server: what Node is given. Paths are relative to this folder. */
export interface Production {
  readonly file: string;
  readonly args?: (port: string) => readonly string[];
  /** Below which the routes are mounted. `/api` by default. */
  readonly prefix?: string;
  /** `127.0.0.1` by default. */
  readonly host?: string;
  /** The framework's own settings. */
  readonly env?: (origin: string) => Readonly<Record<string, string>>;
}

/** An application that has been built, as the process that its framework starts in production. */
export function start({
  file,
  args = () => [],
  prefix = "/api",
  host = "127.0.0.1",
  env = () => ({}),
}: Production): Start {
  return async (variables) => {
    // Some have to be told where they are, and so can't be given whatever port is free.
    const port = String(await steadyPort());
    const origin = `http://${host}:${port}`;
    const process = Process.node(HERE + file, args(port), {
      HOST: "127.0.0.1",
      PORT: port,
      NODE_ENV: "production",
      NEXT_TELEMETRY_DISABLED: "1",
      ...env(origin),
      ...variables,
    });
    await process.line(new RegExp(`:${port}\\b`));
    return {
      url: origin + prefix,
      output: () => process.lines.join("\n"),
      stop: async () => {
        await process.kill("SIGKILL");
      },
    };
  };
}

/** None of the build tools reports to its vendor. */
const QUIET = { ASTRO_TELEMETRY_DISABLED: "1", NEXT_TELEMETRY_DISABLED: "1", NUXT_TELEMETRY_DISABLED: "1" };
const BUILD_TIMEOUT = 300_000;

/** Builds the application of a test file from nothing, by the tool of its framework, before the tests. */
export function build(app: string): void {
  beforeAll(async () => {
    const env = { ...QUIET, HOME: process.env.HOME ?? HERE, NODE_ENV: "production" };
    const building = Process.start("pnpm", ["--dir", HERE + app, "run", "build"], env);
    expect(await building.ended, building.lines.join("\n")).toBe(0);
  }, BUILD_TIMEOUT);
}

/** In this folder, as an argument. */
export const here = (path: string): string => HERE + path;
