import { type Dialect, DialectWord, type Rendered, render, Sql, type SqlValue, ValueList } from "./tx.ts";

/** The SQL of the statements that consist of the same templates up to here. */
interface Place {
  /** The SQL of the statement that ends here. */
  text?: string;
  /** The place behind a value. */
  afterValue?: Place;
  /** The places behind a nested template, a constant or a word. */
  readonly after: Map<unknown, Place>;
}

/**
 * Renders statements in a dialect. A statement that consists of templates, constants and values has the same SQL each time:
 * it is found by the identities of its templates. Others, such as joined conditions, are rendered anew.
 */
export class Renderer {
  readonly #dialect: Dialect;
  readonly #root = newPlace();

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  render(query: Sql): Rendered {
    const values: SqlValue[] = [];
    const place = this.#find(this.#root, query, values);
    if (!place) return render(query, this.#dialect);
    place.text ??= render(query, this.#dialect).text;
    return { text: place.text, values };
  }

  /** Adds the values of a statement or a part to `values`. @returns undefined where it must be rendered anew */
  #find(from: Place, { strings, parts }: Sql, values: SqlValue[]): Place | undefined {
    // The strings of a template are the same object each time; constants are found by their text.
    const key = "raw" in strings ? strings : strings[0];
    if (key !== strings && parts.length > 0) return undefined;
    let place: Place | undefined = next(from, key);
    for (const part of parts) {
      if (part instanceof Sql) place = this.#find(place, part, values);
      else if (part instanceof DialectWord) place = next(place, part);
      else if (part instanceof ValueList) {
        values.push(this.#dialect.listValue(part.values));
        place = next(place, part.of);
      } else if (isValue(part)) {
        values.push(this.#toText(part));
        place.afterValue ??= newPlace();
        place = place.afterValue;
      } else return undefined;
      if (!place) return undefined;
    }
    return place;
  }

  #toText<Value extends SqlValue>(value: Value): Value | string {
    return typeof value === "string" ? this.#dialect.text(value) : value;
  }
}

function newPlace(): Place {
  return { after: new Map() };
}

function next({ after }: Place, key: unknown): Place {
  const known = after.get(key);
  if (known) return known;
  const place = newPlace();
  after.set(key, place);
  return place;
}

function isValue(part: unknown): part is SqlValue {
  return typeof part !== "object" || part === null || part instanceof Uint8Array;
}
