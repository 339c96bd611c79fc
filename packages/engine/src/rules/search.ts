import { invalid } from "./engine-error.ts";

/** A word, or words in a row, that a text must have. */
export interface SearchTerm {
  /** As {@link wordsOf} returns them. At least one. */
  readonly words: readonly string[];
  /** Whether the last word may be the beginning of a longer one. */
  readonly isPrefix: boolean;
}

/** Terms of one search at most: the database looks up each of them. */
const MAX_TERMS = 20;
/** Characters of a word that count. */
const MAX_WORD = 64;

/** Scripts without spaces between words: each character counts as a word. */
const UNSPACED = "\\p{sc=Han}\\p{sc=Hira}\\p{sc=Kana}";
const WORD = new RegExp(`[${UNSPACED}]|[[\\p{L}\\p{N}]--[${UNSPACED}]]+`, "gv");

/** The code of a colour or a style for terminals, which error messages may have. */
const COLOUR = /\p{Cc}\[[\d;]*m/gu;

/**
 * The words of a text: letters and digits in a row, in lower case and without accents. Both databases index these, so
 * that a search finds the same in both.
 */
export function wordsOf(text: string): string[] {
  const plain = text.replace(COLOUR, " ").toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");
  return (plain.match(WORD) ?? []).map((word) =>
    word.length > MAX_WORD ? [...word].slice(0, MAX_WORD).join("") : word,
  );
}

/**
 * Reads a search as people write it: a run must have all words. A word also matches longer words that it begins. Words in
 * quotation marks must be there in this order, and whole.
 *
 * @throws EngineError `invalid_request` when it has no word, or too many
 */
export function parseSearch(search: string, field: string): SearchTerm[] {
  const terms = [...search.matchAll(/"([^"]*)"?|\S+/g)].flatMap(([all, quoted]) => {
    const words = wordsOf(quoted ?? all);
    return words.length > 0 ? [{ words, isPrefix: quoted === undefined }] : [];
  });
  if (terms.length === 0) throw invalid(field, `it has no word to search for, got "${search}"`);
  if (terms.length > MAX_TERMS)
    throw invalid(field, `expected ${MAX_TERMS} words at most, got ${terms.length}`);
  return terms;
}

/** Characters of a text that the index has words of. */
export const MAX_SEARCHED = 32 * 1024;

/** Levels of JSON within strings of JSON that are read. */
const MAX_DEPTH = 12;

/** Fields of records with nothing that people look for. */
const STRUCTURE: ReadonlySet<string> = new Set([
  "stepId",
  "stepType",
  "concurrent",
  "targetStep",
  "nth",
  "begunBy",
  "startedAt",
  "durationMs",
  "parallel",
  "rollback",
]);

/** The text of a body for the index: the keys and values of JSON, also of JSON within its strings; other text as it is. */
export function searchedText(body: string): string {
  const whole = parsed(body);
  // The beginning of JSON that was cut off has escapes.
  return whole === undefined ? body.replace(/\\+(?:u[\da-f]{4}|.)/gis, " ") : take(partsOf(whole));
}

/** The text of a step's record, or of an attempt, for the index. */
export function searchedRecord(body: string): string {
  const record = parsed(body);
  if (typeof record !== "object" || record === null) return searchedText(body);
  const fields = Object.entries(record).filter(([name]) => !STRUCTURE.has(name));
  return fields
    .map(([, value]) => take(partsOf(value)))
    .join(" ")
    .slice(0, MAX_SEARCHED);
}

function take(parts: Iterable<string>): string {
  let text = "";
  for (const part of parts) {
    text += `${part} `;
    if (text.length >= MAX_SEARCHED) break;
  }
  return text.slice(0, MAX_SEARCHED);
}

/** The lines of a stack: their names and numbers would match everything. */
const STACK = /\n\s+at /;

function* partsOf(value: unknown, depth = 0): Generator<string> {
  if (depth > MAX_DEPTH) return;
  if (typeof value === "string") {
    const inner = /^\s*["[{]/.test(value) ? parsed(value) : undefined;
    if (inner === undefined) yield fromBytes(value);
    else yield* partsOf(inner, depth + 1);
  } else if (typeof value !== "object" || value === null) {
    yield String(value);
  } else {
    for (const [key, item] of Object.entries(value)) {
      if (key === "stack" && typeof item === "string" && STACK.test(item)) continue;
      if (!Array.isArray(value)) yield key;
      yield* partsOf(item, depth + 1);
    }
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** The record of a call has a character for each byte of the answer. */
function fromBytes(text: string): string {
  if (!/[\x80-\xff]/.test(text) || /[^\0-\xff]/.test(text)) return text;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(text, "latin1"));
  } catch {
    return text;
  }
}
