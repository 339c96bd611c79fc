/** Environment variables, from `process.env` or from the platform's own object. */
export type Env = Readonly<Record<string, string | undefined>>;

/** The ends of the names of all variables that endpoints, clients and engines share, by the prefix that Upstash's SDKs read. */
interface Shared {
  readonly QSTASH:
    | "URL"
    | "TOKEN"
    | "CURRENT_SIGNING_KEY"
    | "NEXT_SIGNING_KEY"
    | "REGION"
    | "DEV"
    | "DEV_PORT";
  readonly UPSTASH: "WORKFLOW_URL" | "DISABLE_TELEMETRY";
}

/** Perdure's name of a shared variable. */
export type VariableName = `PERDURE_${Shared[keyof Shared]}`;

/** The two signing keys, which are read as a pair. */
export const SIGNING_KEY_VARIABLES: readonly VariableName[] = [
  "PERDURE_CURRENT_SIGNING_KEY",
  "PERDURE_NEXT_SIGNING_KEY",
];

/**
 * Returns the name that Upstash's SDKs read.
 *
 * @example
 * ```ts
 * upstashName("PERDURE_TOKEN"); // "QSTASH_TOKEN"
 * ```
 */
export const upstashName = (name: VariableName): string =>
  name.replace("PERDURE", /WORKFLOW|TELEMETRY/.test(name) ? "UPSTASH" : "QSTASH");

/** A variable under the name that was read: Perdure's, unless only the other one is set. */
export interface Variable {
  readonly name: string;
  /** Undefined for a variable that isn't set; an empty string counts as not set. */
  readonly value: string | undefined;
}

/**
 * Reads a variable under Perdure's name, or else under the other one.
 *
 * @param region the prefix of the variable's name, if it has one, such as `EU_CENTRAL_1`
 * @example
 * ```ts
 * const { name, value } = readVariable(process.env, "PERDURE_TOKEN");
 * ```
 */
export function readVariable(env: Env, name: VariableName, region = ""): Variable {
  return readVariables(env, [name], region)[0] as Variable;
}

/**
 * Reads variables that belong together: all under Perdure's names when one of these is set, else all under the other
 * names.
 *
 * @example
 * ```ts
 * const [current, next] = readVariables(process.env, SIGNING_KEY_VARIABLES);
 * ```
 */
export function readVariables(env: Env, names: readonly VariableName[], region = ""): Variable[] {
  const families = [names, names.map(upstashName)].map((family) =>
    family.map((name) => {
      const full = region ? `${region}_${name}` : name;
      return { name: full, value: env[full] || undefined };
    }),
  );
  return (families.find((family) => family.some(({ value }) => value)) ?? families[0]) as Variable[];
}
