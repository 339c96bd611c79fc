import { readdirSync, readFileSync } from "node:fs";

const FOLDER = new URL("./migrations/", import.meta.url);

/**
 * The texts that bring an empty database to the newest schema, in their order. Each takes it from the version of its
 * index to the next one. One that was released is never changed: another is added.
 */
export function migrations(): string[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith(".sql"))
    .sort()
    .map((name) => readFileSync(new URL(name, FOLDER), "utf8"));
}
