import type { TestProject } from "vitest/node";
import { startPostgres } from "./postgres-server.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The URL of the PostgreSQL server of the project's tests. */
    readonly postgresUrl: string;
  }
}

/** Starts a PostgreSQL server for all files of the project. @returns the function that stops it */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Tests provoke deadlocks.
  const server = await startPostgres({ settings: ["deadlock_timeout=100ms"] });
  project.provide("postgresUrl", server.url);
  return () => server.stop();
}
