import { isDeepStrictEqual } from "node:util";
import type { Difference } from "./compare.ts";
import type { Json } from "./normalise.ts";

/** Part of an object, which may have more. */
class Like {
  readonly part: Json;

  constructor(part: Json) {
    this.part = part;
  }
}

export const like = (part: Json): Like => new Like(part);

/** `undefined` where there has to be nothing. */
export type Expected = Json | RegExp | Like | undefined;

/**
 * Where, what upstream has there, and what we have. Of the place, `*` stands for one part, or for some of its characters;
 * the number of the delivery or of the client's call isn't said.
 */
export type Differing = readonly [at: string, upstream: Expected, ours: Expected];

/** One way in which we are different, on purpose, and where it shows. */
export interface Row {
  readonly id: string;
  /** Names of scenarios, in which `*` stands for anything. */
  readonly scenarios: readonly string[];
  readonly differs: readonly Differing[];
  readonly reason: string;
}

/** The differences of all scenarios against the table. */
export class Explanations {
  readonly #rows: readonly Row[];
  readonly #seen = new Set<unknown>();

  constructor(rows: readonly Row[]) {
    this.#rows = rows;
  }

  /** @returns what no row explains, or more than one */
  explain(scenario: string, differences: readonly Difference[]): string[] {
    return differences.flatMap((difference) => {
      const rows = this.#rows.filter((row) => this.#applies(row, scenario, difference));
      if (rows.length === 1) return [];
      const found = rows.length === 0 ? "no row" : rows.map(({ id }) => id).join(" and ");
      const values = [difference.upstream, difference.ours].map(
        (value) => JSON.stringify(value) ?? "nothing",
      );
      return `${difference.at}: upstream ${values[0]}, ours ${values[1]} (${found})`;
    });
  }

  /** @returns the parts of rows that nothing has needed */
  unneeded(): string[] {
    return this.#rows.flatMap((row) => [
      ...row.differs.filter((one) => !this.#seen.has(one)).map(([at]) => `${row.id}: ${at}`),
      ...row.scenarios
        .filter((pattern) => !this.#seen.has(`${row.id}: ${pattern}`))
        .map((pattern) => `${row.id}: in ${pattern}`),
    ]);
  }

  #applies(row: Row, scenario: string, { at, upstream, ours }: Difference): boolean {
    const patterns = row.scenarios.filter((pattern) => fits(pattern, scenario));
    const place = at.replace(/^acts\/\d+\//, "");
    const entries = row.differs.filter(
      ([where, theirs, own]) => fits(where, place) && matches(theirs, upstream) && matches(own, ours),
    );
    if (patterns.length === 0 || entries.length === 0) return false;
    for (const entry of entries) this.#seen.add(entry);
    for (const pattern of patterns) this.#seen.add(`${row.id}: ${pattern}`);
    return true;
  }
}

const compiled = new Map<string, RegExp>();

function fits(pattern: string, text: string): boolean {
  const known = compiled.get(pattern);
  if (known) return known.test(text);
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
  const any = pattern.includes("/") ? "[^/]*" : ".*";
  compiled.set(pattern, new RegExp(`^${escaped.replaceAll("*", any)}$`));
  return fits(pattern, text);
}

function matches(expected: Expected, value: Json | undefined): boolean {
  if (expected instanceof RegExp) return typeof value === "string" && expected.test(value);
  if (expected instanceof Like) return contains(value, expected.part);
  return isDeepStrictEqual(expected, value);
}

function contains(value: Json | undefined, part: Json): boolean {
  if (typeof part !== "object" || part === null || typeof value !== "object" || value === null)
    return isDeepStrictEqual(value, part);
  return Object.entries(part).every(([name, one]) => contains((value as Record<string, Json>)[name], one));
}
