import { createInterface } from "node:readline/promises";
import { CommandError, EXIT } from "./command-error.ts";

/** Flags of a command that changes more than one object. */
export interface ConfirmFlags {
  readonly yes?: boolean;
}

/**
 * Asks on the terminal before a command changes several objects. With `--yes` it doesn't ask.
 *
 * @param question without a question mark: `Cancel 12 runs`
 * @returns false when the user declines
 * @throws CommandError without a terminal to ask on
 */
export async function confirm(question: string, { yes = false }: ConfirmFlags): Promise<boolean> {
  if (yes) return true;
  if (!process.stdin.isTTY)
    throw new CommandError(EXIT.usage, `${question}? There is no terminal to ask on: add --yes to do it.`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(?:es)?$/i.test((await terminal.question(`${question}? [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}
