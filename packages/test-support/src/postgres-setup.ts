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

/** The variable with the URL of the server. */
const SERVER = "TEST_POSTGRES_SERVER";

/**
 * Creates a database for all files of the project. The first project that needs one starts the server, which takes seconds, for
 * the others, too.
 *
 * @returns the function that stops the server
 */
export async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const running = process.env[SERVER];
  if (running !== undefined) {
    project.provide("postgresUrl", await createDatabase(running));
    return undefined;
  }
  // Tests provoke deadlocks.
  const server = await startPostgres({ settings: ["deadlock_timeout=100ms"] });
  process.env[SERVER] = server.url;
  project.provide("postgresUrl", await createDatabase(server.url));
  return () => {
    delete process.env[SERVER];
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
