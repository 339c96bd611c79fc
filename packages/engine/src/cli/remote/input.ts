import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { CommandError, EXIT } from "./command-error.ts";

/**
 * Reads a value of the command line: the string itself, the file behind `@`, or stdin for `-`.
 *
 * @throws CommandError for a file that can't be read
 */
export async function readInput(given: string): Promise<string> {
  if (given === "-") return text(process.stdin);
  if (!given.startsWith("@")) return given;
  const path = given.slice(1);
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new CommandError(EXIT.usage, `The file "${path}" can't be read: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/**
 * Parses a whole number of at least 0.
 *
 * @param flag the flag's name, for the error
 * @throws CommandError for anything else
 */
export function toCount(flag: string, given: string): number {
  if (/^\d{1,9}$/.test(given)) return Number(given);
  throw new CommandError(EXIT.usage, `${flag} must be a whole number of at least 0; got "${given}".`);
}

/** Splits `name: value` as in an HTTP header. @throws CommandError without a colon */
export function toHeader(given: string): [name: string, value: string] {
  const at = given.indexOf(":");
  if (at > 0) return [given.slice(0, at).trim(), given.slice(at + 1).trim()];
  throw new CommandError(EXIT.usage, `--header must be "name: value"; got "${given}".`);
}
