import type { RemoteEngine } from "./engine.ts";
import { toCount } from "./input.ts";
import { type Column, formatDistance, formatDuration, formatTable, printJson } from "./output.ts";
import { type RunFilterFlags, toRunQuery } from "./run-filters.ts";
import type { RunSummary, RunsPage } from "./run-id.ts";
import { colorState, wordOf } from "./states.ts";

/** The flags of `perdure runs`. */
export interface RunsFlags extends RunFilterFlags {
  readonly limit: string;
  readonly json?: boolean;
}

/** The largest page that the engine returns. */
const MAX_PAGE_SIZE = 200;

/** Runs `perdure runs`: lists runs, the newest first. */
export async function runs(engine: RemoteEngine, flags: RunsFlags): Promise<void> {
  const now = Date.now();
  const limit = toCount("--limit", flags.limit);
  const { found, hasMore } = await fetchRuns(engine, flags, { limit, now });
  if (flags.json) return printJson(found);
  if (found.length === 0) return console.log("No runs.");
  console.log(formatTable(found, columnsOf(now)));
  if (hasMore)
    console.error(`There are more runs. Show them with --limit, for example --limit ${limit * 5}.`);
}

async function fetchRuns(
  engine: RemoteEngine,
  flags: RunFilterFlags,
  { limit, now }: { readonly limit: number; readonly now: number },
): Promise<{ found: RunSummary[]; hasMore: boolean }> {
  const found: RunSummary[] = [];
  let cursor: string | undefined;
  while (found.length < limit) {
    const count = Math.min(MAX_PAGE_SIZE, limit - found.length);
    const query = { ...toRunQuery(flags, now), count, cursor };
    const page = await engine.request<RunsPage>("GET", "workflows/runs", { query });
    found.push(...page.runs);
    cursor = page.cursor;
    if (cursor === undefined) break;
  }
  return { found, hasMore: cursor !== undefined };
}

function columnsOf(now: number): Column<RunSummary>[] {
  return [
    { title: "RUN", cell: ({ workflowRunId }) => workflowRunId, shrinkTo: 12 },
    { title: "WORKFLOW", cell: ({ workflowUrl }) => pathOf(workflowUrl), shrinkTo: 10 },
    {
      title: "STATE",
      cell: ({ workflowState }) => wordOf(workflowState),
      color: (text, { workflowState }) => colorState(text, workflowState),
    },
    {
      title: "STARTED",
      cell: ({ workflowRunCreatedAt }) => formatDistance(workflowRunCreatedAt, now),
      align: "right",
    },
    {
      title: "TOOK",
      cell: ({ workflowRunCreatedAt, workflowRunCompletedAt: end = now }) =>
        formatDuration(end - workflowRunCreatedAt),
      align: "right",
    },
    { title: "STEPS", cell: ({ stepCount }) => String(stepCount), align: "right" },
    { title: "LABELS", cell: ({ labels = [] }) => labels.join(","), shrinkTo: 6 },
    { title: "ERROR", cell: ({ error }) => (error ? `${error.name}: ${error.message}` : ""), shrinkTo: 10 },
  ];
}

/** Returns the path of a workflow's URL, which identifies it among the workflows of an app. */
export function pathOf(url: string): string {
  return URL.parse(url)?.pathname ?? url;
}
