import { writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/** The folder of databases that weren't given a place. */
const FOLDER = ".perdure";

/** Keeps the folder that we have made for a database out of the user's repository. */
export function ignoreFolder(db: string): void {
  const folder = dirname(resolve(db));
  if (db === ":memory:" || basename(folder) !== FOLDER) return;
  try {
    writeFileSync(join(folder, ".gitignore"), "*\n", { flag: "wx" });
  } catch {
    // There is one, or none can be written: neither is in the way of an engine.
  }
}
