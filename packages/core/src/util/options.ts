import { mustBe, tagOf } from "./check.ts";

type NamesIn<List extends string> = List extends `${infer Name} ${infer Others}`
  ? Name | NamesIn<Others>
  : List;

/** A list, separated by spaces, of all option names of a type. A list that lacks a name, or has another one, doesn't compile. */
type AllNames<Options, List extends string> = [keyof Options, NamesIn<List>] extends [
  NamesIn<List>,
  keyof Options,
]
  ? List
  : { readonly differing: Exclude<keyof Options, NamesIn<List>> | Exclude<NamesIn<List>, keyof Options> };

/**
 * Rejects unknown options, for callers in JavaScript, and headers that aren't a plain object. An option that is `undefined` counts as absent.
 *
 * @param owner the function with the options, in the error
 * @param known the names of all options, separated by spaces
 * @throws TypeError that names the unknown option, its owner, and all known options, those with the most similar names first
 * @example
 * ```ts
 * checkOptions<{ port?: number }, "port">("listen", options, "port");
 * // TypeError: Unknown option "prot" of listen. The options are port.
 * ```
 */
export function checkOptions<Options, List extends string>(
  owner: string,
  options: Options,
  known: List & AllNames<Options, List>,
): void {
  const names = known.split(" ");
  for (const [name, value] of Object.entries(Object(options))) {
    if (value === undefined) continue;
    if (names.includes(name)) {
      // A `Headers`, a `Map` or a list of pairs would count as no headers. A plain object's prototype is null, or the
      // last one of its realm.
      if (name === "headers" && Object.getPrototypeOf(Object.getPrototypeOf(value ?? 0) ?? Object.prototype))
        throw mustBe(name, "a plain object", tagOf(value));
      continue;
    }
    names.sort((a, b) => distance(name, a) - distance(name, b));
    throw new TypeError(`Unknown option "${name}" of ${owner}. The options are ${names.join(", ")}.`);
  }
}

/** Counts the characters to add and to remove, without regard to order and case. */
function distance(from: string, to: string): number {
  let rest = to.toLowerCase();
  for (const character of from.toLowerCase()) {
    rest = rest.includes(character) ? rest.replace(character, "") : `${rest}+`;
  }
  return rest.length;
}
