import fc from "fast-check";
import { sampled } from "./sample.ts";

const long = Number(process.env.FUZZ_RUNS) || undefined;

interface Settings {
  readonly numRuns: number;
  readonly seed?: number;
}

/** `FUZZ_RUNS=100000` is the long mode: it sets the runs of each property, from a random seed or from `FUZZ_SEED`. */
const SETTINGS: readonly Settings[] = long
  ? [{ numRuns: long, ...(process.env.FUZZ_SEED ? { seed: Number(process.env.FUZZ_SEED) } : {}) }]
  : sampled([1, 2, 3, 4], 4).map((seed) => ({ numRuns: 100, seed }));

/** The time limit of a property in milliseconds: many times what it takes, since machines are busy. */
export const FUZZ_TIMEOUT: number = 180_000 + (long ?? 0) * 20;

/** Asserts that the check passes for each generated value. */
export async function forAll<Value>(
  arbitrary: fc.Arbitrary<Value>,
  check: (value: Value) => Promise<void>,
): Promise<void> {
  for (const settings of SETTINGS) await fc.assert(fc.asyncProperty(arbitrary, check), settings);
}

/** Strings of any code points, including unpaired surrogates. fast-check's own "binary" takes most of a second to create. */
export const anyText: fc.Arbitrary<string> = fc.string({
  unit: fc.integer({ min: 0, max: 0x10_ff_ff }).map((code) => String.fromCodePoint(code)),
});

function nested(depth: number): unknown {
  let value: unknown = "the end";
  for (let at = 0; at < depth; at++) value = { message: "deeper", cause: value };
  return value;
}

/** Values that JSON can contain, and that code rarely expects. */
export const evil: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>(
    ...[
      null,
      true,
      0,
      -1,
      0.5,
      1e308,
      2 ** 53,
      2 ** 31,
      "",
      " ",
      "%",
      "====",
      "é",
      "\ud800",
      "\u0000",
      "0",
      "-1",
    ],
    ...["constructor", "__proto__", "toString", "hasOwnProperty", "x".repeat(5000), [], {}, [[]], [null]],
    ...[{ toString: 1, valueOf: 1 }, { length: 1e9 }, JSON.parse('{"__proto__":{"a":1}}')],
    nested(9),
    nested(300),
  ),
);

/** Stands for a value to remove. */
const NOTHING = Symbol("nothing");

/** Replaces up to three places of a JSON value. */
export function mutated<Value>(value: Value): fc.Arbitrary<unknown> {
  const change = fc.tuple(fc.nat(), fc.oneof({ weight: 4, arbitrary: evil }, fc.constant<unknown>(NOTHING)));
  return fc.array(change, { maxLength: 3 }).map((changes) => changes.reduce<unknown>(changeAt, value));
}

function changeAt(value: unknown, [at, other]: readonly [number, unknown]): unknown {
  const places = placesIn(value);
  return at % (places.length + 1) === places.length
    ? value
    : replaced(value, places[at % (places.length + 1)] ?? [], other);
}

type Place = readonly string[];

function placesIn(value: unknown, place: Place = []): Place[] {
  if (typeof value !== "object" || value === null || place.length > 8) return [place];
  return [place, ...Object.entries(value).flatMap(([name, inner]) => placesIn(inner, [...place, name]))];
}

function replaced(value: unknown, [name, ...rest]: Place, other: unknown): unknown {
  if (name === undefined) return other === NOTHING ? undefined : other;
  const entries = Object.entries(value as object).map(([one, inner]) =>
    one === name ? [one, rest.length === 0 ? other : replaced(inner, rest, other)] : [one, inner],
  );
  const kept = entries.filter(([, inner]) => inner !== NOTHING);
  return Array.isArray(value) ? kept.map(([, inner]) => inner) : Object.fromEntries(kept);
}
