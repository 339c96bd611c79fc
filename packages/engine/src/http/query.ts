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
    return this.urls(name)
      ?.flatMap((value) => value.split(","))
      .map((value) => notEmpty(name, value.trim()));
  }

  /** As {@link list}, for values that may hold commas. */
  urls(name: string): string[] | undefined {
    const values = this.#parameters.getAll(name).map((value) => notEmpty(name, value));
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
    const value = this.text(name);
    return value === undefined || value === "" ? undefined : toWhole(name, value);
  }

  count(most: number, usual: number): number {
    const count = this.number("count") ?? usual;
    if (count < 1) throw invalid("parameter count", "expected 1 or more");
    return Math.min(count, most);
  }

  /** Where the previous page ended. */
  cursor(): number | undefined {
    const value = this.text("cursor");
    if (value === undefined || value === "") return undefined;
    const place = Buffer.from(value, "base64url").toString();
    if (/^[1-9]\d{0,14}$/.test(place) && toCursor(Number(place)).cursor === value) return Number(place);
    throw invalid("parameter cursor", "it is not one that this list gave out");
  }

  /** The value of a parameter that is given once, if at all. */
  text(name: string): string | undefined {
    const [value, ...more] = this.#parameters.getAll(name);
    if (more.length === 0) return value;
    throw invalid(`parameter ${name}`, "it is given more than once");
  }
}

/** Opaque to whoever gets it. */
export function toCursor(place: number | undefined): { cursor: string } | Record<string, never> {
  return place === undefined ? {} : { cursor: Buffer.from(String(place)).toString("base64url") };
}

/** An empty filter would match all that there is: nobody who deletes by it means that. */
function notEmpty(name: string, value: string): string {
  if (value !== "") return value;
  throw invalid(`parameter ${name}`, "it is empty");
}

function toWhole(name: string, value: string): number {
  if (/^\d{1,15}$/.test(value)) return Number(value);
  throw invalid(`parameter ${name}`, `expected a whole number, got "${value}"`);
}
