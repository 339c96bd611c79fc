import { writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/** The folder of databases without a configured path. */
const FOLDER = ".perdure";

/**
 * Adds a `.gitignore` to the folder that the command made for a database, to keep it out of the user's
 * repository.
 */
export function ignoreFolder(db: string): void {
  const folder = dirname(resolve(db));
  if (db === ":memory:" || basename(folder) !== FOLDER) return;
  try {
    writeFileSync(join(folder, ".gitignore"), "*\n", { flag: "wx" });
  } catch {
    // The file exists, or the command can't write it. The engine runs without it.
  }
}
