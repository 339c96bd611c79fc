import { readdirSync, readFileSync } from "node:fs";

/**
 * The texts that bring an empty database to the newest schema, in their order. Each takes it from the version of its
 * index to the next one. One that was released is never changed: another is added.
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
