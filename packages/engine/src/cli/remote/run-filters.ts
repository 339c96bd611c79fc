import { CommandError, EXIT } from "./command-error.ts";
import type { Query } from "./engine.ts";
import { toState } from "./states.ts";

/** The flags that select runs. A run must match all of them. */
export interface RunFilterFlags {
  readonly state?: string;
  readonly workflow?: string;
  readonly label?: string;
  readonly search?: string;
  /** A duration: only runs that began within it. */
  readonly since?: string;
}

const UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Returns the query that selects runs by flags. @throws CommandError for a malformed flag */
export function toRunQuery({ state, workflow, label, search, since }: RunFilterFlags, now: number): Query {
  return {
    state: state?.split(",").map(toState),
    workflowUrl: workflow,
    label,
    search,
    fromDate: since === undefined ? undefined : now - toMilliseconds("--since", since),
  };
}

/** Returns true if the flags select anything less than all runs. */
export function isFiltered(flags: RunFilterFlags): boolean {
  return [flags.state, flags.workflow, flags.label, flags.search, flags.since].some(
    (one) => one !== undefined,
  );
}

/** Parses a duration such as `90s` or `2h`. @throws CommandError for anything else */
export function toMilliseconds(flag: string, given: string): number {
  const [, count, unit = ""] = /^(\d+)([smhdw])$/.exec(given) ?? [];
  const ms = Number(count) * (UNITS[unit] ?? Number.NaN);
  if (ms >= 0) return ms;
  throw new CommandError(
    EXIT.usage,
    `${flag} must be a duration such as 90s, 15m, 2h or 7d; got "${given}".`,
  );
}
