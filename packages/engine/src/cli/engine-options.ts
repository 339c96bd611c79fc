import { parseDuration } from "@perdure/core/protocol";
import {
  namedOptions,
  type OptionRow,
  RANGES,
  type Range,
  type ScalarOptions,
} from "../rules/engine-options.ts";
import type { Env } from "./settings.ts";
import { ConfigError } from "./values.ts";

/** An engine's options as a file spells them: times are durations such as `30s`. */
export type FileOptions = Spelled<Omit<ScalarOptions, Group>> & {
  readonly [Name in Group]?: Spelled<NonNullable<ScalarOptions[Name]>> | undefined;
};

type Group = "timeouts" | "limits" | "retention";
type Value = number | string | boolean;
type Spelled<T> = { readonly [Name in keyof T]?: number | string | boolean | undefined };

/**
 * Reads the engine's options: `--set` wins over the environment, and the environment over the file.
 *
 * @param set values such as `limits.retries=20`
 * @throws ConfigError that names an option that is unknown or out of its range
 * @example
 * readEngineOptions(["limits.retries=20"], { PERDURE_TIMEOUTS_DELIVERY: "1m" }, {});
 */
export function readEngineOptions(set: readonly string[], env: Env, file: FileOptions): ScalarOptions {
  refuseUnknown(env);
  const flags = new Map(set.map((one) => readPair(one)));
  const own: Record<string, Value> = {};
  const groups: Record<string, Record<string, Value>> = { timeouts: {}, limits: {}, retention: {} };
  for (const [path, row] of namedOptions()) {
    const variable = variableOf(path);
    const sources: [source: string, value: unknown][] = [
      [`--set ${path}`, flags.get(path)],
      [variable, env[variable] || undefined],
      [path, valueIn(file, path)],
    ];
    const found = sources.find(([, value]) => value !== undefined);
    if (!found) continue;
    const [group = "", name] = path.split(".");
    const value = toValue(found[0], String(found[1]), row);
    Object.assign(name === undefined ? own : (groups[group] ?? {}), { [name ?? group]: value });
  }
  return { ...own, ...groups } as ScalarOptions;
}

function valueIn(file: object, path: string): unknown {
  return path.split(".").reduce<unknown>((value, name) => Object(value)[name], file);
}

/** Returns the environment variable of an option: `PERDURE_LIMITS_RETRIES` for `limits.retries`. */
export function variableOf(name: string): string {
  return `PERDURE_${name.replace(".", "_").replace(/[A-Z]/g, "_$&").toUpperCase()}`;
}

/** Variables with these prefixes are options of the engine, and nothing else. */
const PREFIXES = ["PERDURE_TIMEOUTS_", "PERDURE_LIMITS_", "PERDURE_RETENTION_"];

/** @throws ConfigError for a misspelled variable: without an error, the engine would run with the default */
function refuseUnknown(env: Env): void {
  // A list of all variables needs a permission on Deno that the engine does without.
  if ("Deno" in globalThis) return;
  const known = namedOptions().map(([path]) => variableOf(path));
  const unknown = Object.keys(env).find((name) => {
    const prefix = PREFIXES.find((one) => name.startsWith(one));
    return prefix !== undefined && env[name] && !known.includes(name);
  });
  if (unknown === undefined) return;
  const ofGroup = known.filter((name) =>
    PREFIXES.some((one) => unknown.startsWith(one) && name.startsWith(one)),
  );
  throw new ConfigError(`${unknown} is no option of the engine. The options are ${ofGroup.join(", ")}.`);
}

function readPair(text: string): [name: string, value: string] {
  const at = text.indexOf("=");
  const name = text.slice(0, Math.max(0, at));
  if (namedOptions().some(([known]) => known === name)) return [name, text.slice(at + 1)];
  const names = namedOptions().map(([known]) => known);
  throw new ConfigError(
    `--set must be an option of the engine and its value, such as limits.retries=20; got "${text}". The options are ${names.join(", ")}.`,
  );
}

const EXPECTED: Readonly<Record<Range, string>> = {
  count: RANGES.count.is,
  "count or none": RANGES["count or none"].is,
  time: 'a duration such as "30s", more than 0',
  "time or none": 'a duration such as "30s"',
  flag: RANGES.flag.is,
  name: RANGES.name.is,
};

function toValue(source: string, text: string, { is }: OptionRow): Value {
  const value = parse(text, is);
  if (value !== undefined && RANGES[is].holds(value)) return value;
  throw new ConfigError(`${source} must be ${EXPECTED[is]}; got "${text}".`);
}

function parse(text: string, is: Range): Value | undefined {
  switch (is) {
    case "time":
    case "time or none":
      return parseDuration(text);
    case "count":
    case "count or none":
      return /^\d+$/.test(text) ? Number(text) : undefined;
    case "flag":
      return text === "true" || text === "false" ? text === "true" : undefined;
    case "name":
      return text;
  }
}
