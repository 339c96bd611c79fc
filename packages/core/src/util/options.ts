type NamesIn<List extends string> = List extends `${infer Name} ${infer Others}`
  ? Name | NamesIn<Others>
  : List;

/** A list, separated by spaces, of all names of options of a type: a list that lacks one doesn't compile, nor one with others. */
type AllNames<Options, List extends string> = [keyof Options, NamesIn<List>] extends [
  NamesIn<List>,
  keyof Options,
]
  ? List
  : { readonly differing: Exclude<keyof Options, NamesIn<List>> | Exclude<NamesIn<List>, keyof Options> };

/**
 * Refuses options that TypeScript would refuse, for callers in JavaScript. An option that is `undefined` isn't given.
 *
 * @param known their names, separated by spaces
 * @throws TypeError that names the unknown option, whose it is, and the known option with the nearest name
 */
export function checkOptions<Options, List extends string>(
  owner: string,
  options: Options,
  known: List & AllNames<Options, List>,
): void {
  const names = known.split(" ");
  for (const [name, value] of Object.entries(Object(options))) {
    if (value === undefined || names.includes(name)) continue;
    const [nearest] = names.sort((a, b) => distance(name, a) - distance(name, b));
    throw new TypeError(`Unknown option "${name}" of ${owner}. Did you mean "${nearest}"?`);
  }
}

/** How many characters have to be added and removed; their order and case are nothing. */
function distance(from: string, to: string): number {
  let rest = to.toLowerCase();
  let missing = 0;
  for (const character of from.toLowerCase()) {
    const left = rest.replace(character, "");
    if (left === rest) missing++;
    rest = left;
  }
  return missing + rest.length;
}
