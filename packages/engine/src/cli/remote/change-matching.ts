import { CommandError, EXIT } from "./command-error.ts";
import { type ConfirmFlags, confirm } from "./confirm.ts";
import type { Query, RemoteEngine } from "./engine.ts";
import { isFiltered, type RunFilterFlags, toRunQuery } from "./run-filters.ts";

/** The flags that select runs to change. */
export interface MatchingFlags extends RunFilterFlags, ConfirmFlags {
  readonly all?: boolean;
}

interface BulkAnswer {
  readonly matched?: number;
  readonly changed?: number;
  readonly cursor?: string;
}

const VERBS = { cancel: "Cancel", resume: "Resume", restart: "Restart" } as const;

/**
 * Changes all runs that match the flags: counts them, asks, and changes them page by page. Runs that begin
 * meanwhile aren't touched.
 *
 * @returns the number of changed runs; undefined when the user declines
 * @throws CommandError without any filter, unless `--all` is given
 */
export async function changeMatching(
  engine: RemoteEngine,
  action: keyof typeof VERBS,
  flags: MatchingFlags,
): Promise<number | undefined> {
  if (!isFiltered(flags) && !flags.all)
    throw new CommandError(EXIT.usage, `Name runs, select them by flags such as --workflow, or give --all.`);
  const now = Date.now();
  const query = { ...toRunQuery(flags, now), toDate: now, all: isFiltered(flags) ? undefined : true };
  const ask = (more: Query): Promise<BulkAnswer> =>
    engine.request("POST", `workflows/bulk/${action}`, { query: { ...query, ...more } });
  const { matched = 0 } = await ask({ dryRun: true });
  if (matched === 0) return 0;
  if (!(await confirm(`${VERBS[action]} ${matched === 1 ? "1 run" : `${matched} runs`}`, flags)))
    return undefined;
  let changed = 0;
  let cursor: string | undefined;
  do {
    const page = await ask({ cursor });
    changed += page.changed ?? 0;
    cursor = page.cursor;
  } while (cursor !== undefined);
  return changed;
}
