import { notFound } from "../rules/engine-error.ts";
import type { DeadLetter } from "../store/lists.ts";
import type { Tx } from "../store/tx.ts";
import { deadLetters } from "./lists.ts";

/**
 * A dead letter by its id.
 *
 * @param ofRun true to find only the dead letter of a run
 * @throws EngineError `not_found`
 */
export async function deadLetter(tx: Tx, id: string, ofRun: boolean): Promise<DeadLetter> {
  const [letter] = (await deadLetters(tx, { dlqIds: [id], count: 1, ofRuns: ofRun })).items;
  if (letter) return letter;
  throw notFound(`dead letter ${id}`);
}
