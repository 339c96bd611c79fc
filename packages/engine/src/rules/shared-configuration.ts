import { namedOptions, type OptionRow, type ResolvedOptions, resolveOptions } from "./engine-options.ts";
import { hash64 } from "./fingerprint.ts";

/** The secrets of an engine by their names in warnings, and what follows when two engines share none of them. */
const SECRETS = {
  "signing keys": "an endpoint refuses the deliveries of one of the two",
  tokens: "each of the two refuses the clients of the other one",
  "read-only tokens": "each of the two refuses the readers of the other one",
} as const;

/** Fingerprints of secrets. */
type Secrets = Readonly<Record<keyof typeof SECRETS, readonly string[]>>;

/**
 * The part of an engine's configuration that must be the same for all engines of a database. It stands in the database, so
 * it contains fingerprints in place of secrets.
 */
export interface SharedConfiguration {
  readonly secrets: Secrets;
  /** The options that don't have their default. */
  readonly options: Readonly<Record<string, string>>;
}

/** The parts of an engine's configuration that are compared. */
export interface OwnConfiguration {
  readonly secrets: Secrets;
  readonly options: ResolvedOptions;
  /** The rules on destinations. */
  readonly destinations:
    | { readonly allow?: readonly string[]; readonly deny?: readonly string[] }
    | undefined;
}

/** Describes an engine's configuration for the other engines of its database. */
export function toSharedConfiguration({
  secrets,
  options,
  destinations,
}: OwnConfiguration): SharedConfiguration {
  const defaults = resolveOptions({});
  const changed = SHARED.flatMap((option) => {
    const value = wordsOf(options, option);
    return value === wordsOf(defaults, option) ? [] : [[option[0], value]];
  });
  const { allow = [], deny = [] } = destinations ?? {};
  const rules = destinations && JSON.stringify([allow, deny].map((list) => [...list].sort()));
  return {
    secrets,
    options: Object.fromEntries([...changed, ...(rules ? [[DESTINATIONS, hash64(rules)]] : [])]),
  };
}

/**
 * Compares this engine's configuration with that of another engine.
 *
 * @returns a sentence for each difference that matters
 */
export function differencesBetween(own: SharedConfiguration, other: SharedConfiguration): string[] {
  const names = Object.keys(SECRETS) as (keyof typeof SECRETS)[];
  // Keys and tokens are rotated one engine after the other: one that both have is enough.
  const secrets = names.filter((name) => {
    const [ours, theirs] = [own.secrets[name], other.secrets[name]];
    return ours.length + theirs.length > 0 && !ours.some((one) => theirs.includes(one));
  });
  const defaults = resolveOptions({});
  const options = SHARED.flatMap((option) => {
    const [name] = option;
    const [ours, theirs] = [own, other].map((one) => one.options[name] ?? wordsOf(defaults, option));
    return ours === theirs ? [] : [`has ${name} ${theirs}, and this one ${ours}`];
  });
  const sameRules = own.options[DESTINATIONS] === other.options[DESTINATIONS];
  return [
    ...secrets.map((name) => `has other ${name}: ${SECRETS[name]}`),
    ...options,
    ...(sameRules ? [] : ["has another policy on destinations"]),
  ];
}

const DESTINATIONS = "destinations";

type Option = readonly [name: string, row: OptionRow];

/** The options that decide what becomes of a message: which engine it meets must make no difference. */
const SHARED: readonly Option[] = namedOptions().filter(([, row]) => row.perEngine !== true);

/** The value of an option in words. */
function wordsOf(options: ResolvedOptions, [name, { is }]: Option): string {
  const value = name
    .split(".")
    .reduce<unknown>((group, key) => (group as Readonly<Record<string, unknown>>)[key], options);
  if (value === undefined || value === Number.POSITIVE_INFINITY) return "unlimited";
  return is.startsWith("time") ? `${value} ms` : String(value);
}
