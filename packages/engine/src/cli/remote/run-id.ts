import { CommandError, EXIT } from "./command-error.ts";
import type { RemoteEngine } from "./engine.ts";

/** A run as lists show it. Times in milliseconds since 1970. */
export interface RunSummary {
  readonly workflowRunId: string;
  readonly workflowUrl: string;
  readonly workflowState: string;
  readonly workflowRunCreatedAt: number;
  readonly workflowRunCompletedAt?: number;
  readonly labels?: readonly string[];
  readonly stepCount: number;
  readonly error?: { readonly name: string; readonly message: string };
  readonly dlqId?: string;
}

/** A page of runs, the newest first. The last page has no cursor. */
export interface RunsPage {
  readonly runs: readonly RunSummary[];
  readonly cursor?: string;
}

const PREFIX = "wfr_";

/** The number of runs that the error for an ambiguous prefix names. */
const SHOWN = 5;

/**
 * Finds the run with this id, or the only run whose id begins with it; `wfr_` may be left out. If several runs
 * had the id, the newest is meant.
 *
 * @throws CommandError when no run's id begins so, or the ids of several
 */
export async function findRun(engine: RemoteEngine, given: string): Promise<RunSummary> {
  for (const prefix of given.startsWith(PREFIX) ? [given] : [given, `${PREFIX}${given}`]) {
    const query = { idPrefix: prefix, count: SHOWN + 1 };
    const { runs } = await engine.request<RunsPage>("GET", "workflows/runs", { query });
    const ids = [...new Set(runs.map(({ workflowRunId }) => workflowRunId))];
    const found = runs.find(({ workflowRunId }) => workflowRunId === prefix);
    if (found) return found;
    if (ids.length > 1) throw ambiguous(given, ids);
    if (runs[0]) return runs[0];
  }
  throw new CommandError(
    EXIT.notFound,
    `The engine at ${engine.url} knows no run whose id begins with "${given}".`,
  );
}

function ambiguous(given: string, ids: readonly string[]): CommandError {
  const more = ids.length > SHOWN ? ", …" : "";
  return new CommandError(
    EXIT.notFound,
    `Several runs have ids that begin with "${given}": ${ids.slice(0, SHOWN).join(", ")}${more}. Give more of the id.`,
  );
}
