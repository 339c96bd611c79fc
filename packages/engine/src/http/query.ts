import { invalid } from "../domain/problem.ts";

/** A list's query: every parameter must be one that the list knows. */
export class Query {
  readonly #parameters: URLSearchParams;

  /** @throws Problem 400 that names the first parameter that isn't known */
  constructor(url: string, known: readonly string[]) {
    this.#parameters = new URL(url).searchParams;
    for (const name of this.#parameters.keys()) {
      if (!known.includes(name) && name !== "qstash_token")
        throw invalid(`parameter ${name}`, "there is no such filter");
    }
  }

  /** Values of a repeated parameter, or of one that lists them with commas; `undefined` when it is not given. */
  list(name: string): string[] | undefined {
    const values = this.urls(name)?.flatMap((value) => value.split(","));
    return values?.map((value) => value.trim()).filter((value) => value !== "");
  }

  /** As {@link list}, for values that may hold commas. */
  urls(name: string): string[] | undefined {
    const values = this.#parameters.getAll(name).filter((value) => value !== "");
    return values.length > 0 ? values : undefined;
  }

  /** As {@link list}, for values of a known few. */
  oneOf<Value extends string>(name: string, known: readonly Value[]): Value[] | undefined {
    return this.list(name)?.map((value) => {
      const found = known.find((one) => one === value);
      if (found) return found;
      throw invalid(`parameter ${name}`, `expected one of ${known.join(", ")}, got "${value}"`);
    });
  }

  numbers(name: string): number[] | undefined {
    return this.list(name)?.map((value) => toWhole(name, value));
  }

  number(name: string): number | undefined {
    const value = this.#parameters.get(name);
    return value === null || value === "" ? undefined : toWhole(name, value);
  }

  count(most: number, usual: number): number {
    const count = this.number("count") ?? usual;
    if (count < 1) throw invalid("parameter count", "expected 1 or more");
    return Math.min(count, most);
  }

  /** Where the previous page ended. */
  cursor(): number | undefined {
    const value = this.#parameters.get("cursor");
    if (value === null || value === "") return undefined;
    const place = Number(Buffer.from(value, "base64url").toString());
    if (Number.isSafeInteger(place) && place > 0) return place;
    throw invalid("parameter cursor", "it is not one that this list gave out");
  }

  /** A parameter that can't be given twice. */
  single(name: string): string | undefined {
    const values = this.#parameters.getAll(name);
    if (values.length > 1) throw invalid(`parameter ${name}`, "it is given more than once");
    return values[0];
  }

  text(name: string): string | undefined {
    return this.#parameters.get(name) ?? undefined;
  }
}

/** Opaque to whoever gets it. */
export function toCursor(place: number | undefined): { cursor: string } | Record<string, never> {
  return place === undefined ? {} : { cursor: Buffer.from(String(place)).toString("base64url") };
}

function toWhole(name: string, value: string): number {
  if (/^\d+$/.test(value)) return Number(value);
  throw invalid(`parameter ${name}`, `expected a whole number, got "${value}"`);
}
