import { randomUUID } from "node:crypto";
import postgres from "postgres";
import type { TestProject } from "vitest/node";
import { startPostgres } from "./postgres-server.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The URL of the project's own database on the PostgreSQL server of the tests. */
    readonly postgresUrl: string;
  }
}

/** The variables with the URL of the server: of the npm package's, and of an installed one. */
const SERVER = { ofPackage: "TEST_POSTGRES_SERVER", installed: "TEST_POSTGRES_INSTALLED_SERVER" };

/**
 * Creates a database for all files of the project. The first project that needs one starts the server, which takes seconds, for
 * the others, too.
 *
 * @returns the function that stops the server
 */
export async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const programs = project.config.env?.TEST_POSTGRES_PROGRAMS;
  const variable = programs === undefined ? SERVER.ofPackage : SERVER.installed;
  const running = process.env[variable];
  if (running !== undefined) {
    project.provide("postgresUrl", await createDatabase(running));
    return undefined;
  }
  // Tests provoke deadlocks.
  const server = await startPostgres({ settings: ["deadlock_timeout=100ms"], programs });
  process.env[variable] = server.url;
  project.provide("postgresUrl", await createDatabase(server.url));
  return () => {
    delete process.env[variable];
    return server.stop();
  };
}

async function createDatabase(server: string): Promise<string> {
  const name = `project_${randomUUID().replaceAll("-", "")}`;
  const sql = postgres(server, { max: 1 });
  await sql.unsafe(`CREATE DATABASE ${name}`);
  await sql.end();
  return Object.assign(new URL(server), { pathname: name }).href;
}
