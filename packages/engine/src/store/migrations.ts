import { readdirSync, readFileSync } from "node:fs";

/**
 * The migrations from an empty database to the newest schema, in their order: migration n takes a database
 * from version n to n + 1. A released migration never changes; later migrations change the schema further.
 *
 * @param dialect the folder of `migrations` with the numbered files
 */
export function migrations(dialect: "sqlite" | "postgres"): string[] {
  const folder = new URL(`./migrations/${dialect}/`, import.meta.url);
  return readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .sort()
    .map((name) => readFileSync(new URL(name, folder), "utf8"));
}
