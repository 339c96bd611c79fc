import colors from "picocolors";
import { CommandError, EXIT } from "./command-error.ts";

/** The states of runs: the word that users type and read, the API's word, and the colour. */
const STATES = [
  { word: "running", state: "RUN_STARTED", color: colors.cyan },
  { word: "succeeded", state: "RUN_SUCCESS", color: colors.green },
  { word: "failed", state: "RUN_FAILED", color: colors.red },
  { word: "cancelled", state: "RUN_CANCELED", color: colors.yellow },
] as const;

/** The words for the states. */
export const STATE_WORDS: readonly string[] = STATES.map(({ word }) => word);

/** Returns the word for a state of the API; a state of a newer engine stays as it is. */
export function wordOf(state: string): string {
  return STATES.find((one) => one.state === state)?.word ?? state;
}

/** Colours a word by the state that it names. */
export function colorState(text: string, state: string): string {
  return STATES.find((one) => one.state === state)?.color(text) ?? text;
}

/** Returns the API's state for a word, or for itself. @throws CommandError for anything else */
export function toState(given: string): string {
  const found = STATES.find(
    ({ word, state }) => word === given.toLowerCase() || state === given.toUpperCase(),
  );
  if (found) return found.state;
  throw new CommandError(EXIT.usage, `--state must be one of ${STATE_WORDS.join(", ")}; got "${given}".`);
}
