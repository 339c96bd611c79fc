import { useState } from "preact/hooks";
import { isAccess, session } from "../api/session.ts";
import type { RunRow } from "../api/types.ts";
import { duration, now } from "../format/time.ts";
import { query, runPath } from "../router.ts";
import { errorLine } from "../run/story.tsx";
import { ActionButton } from "../ui/button.tsx";
import { Link } from "../ui/link.tsx";
import { More } from "../ui/more.tsx";
import { PageHead } from "../ui/page-head.tsx";
import { moveAmongRows } from "../ui/rows.ts";
import { Empty, Loaded } from "../ui/states.tsx";
import { RUN_LOOKS, Status } from "../ui/status.tsx";
import { Line, Time, WorkflowName } from "../ui/text.tsx";
import { BulkBar } from "./bulk.tsx";
import { NumbersStrip } from "./numbers.tsx";
import { filtersOf, hasFilters } from "./runs-filter.ts";
import { FilterBar, KnownWorkflows } from "./runs-filter-bar.tsx";
import { openStartDialog } from "./start-run.tsx";
import { usePages } from "./use-pages.ts";

const PAGE_SIZE = 50;

/** The runs, newest first. */
export function RunsPage() {
  const filters = filtersOf(query.value);
  const pages = usePages<RunRow>({
    target: "/v2/workflows/runs",
    query: { ...filters, count: PAGE_SIZE },
    list: "runs",
    keyOf,
    live: { names: ["run"] },
  });
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const rows = pages.data ?? [];
  const chosenRuns = rows.filter((row) => chosen.has(keyOf(row)));
  const access = session.value;
  return (
    <main id="main" tabIndex={-1}>
      <PageHead title="Runs">
        <ActionButton icon="plus" look="primary" onClick={() => openStartDialog()}>
          Start a run
        </ActionButton>
      </PageHead>
      <NumbersStrip />
      <KnownWorkflows />
      <FilterBar canSearch={isAccess(access) && access.search === true} />
      <Loaded of={{ ...pages, loading: false }} rows={10}>
        {(runs) =>
          runs.length === 0 ? (
            <NoRuns />
          ) : (
            <>
              <BulkBar chosen={chosenRuns} clear={() => choose(new Set())} reload={pages.reload} />
              <RunsTable runs={runs} chosen={chosen} choose={choose} />
              <More pages={pages} />
            </>
          )
        }
      </Loaded>
    </main>
  );
}

function keyOf({ workflowRunId: id, workflowRunCreatedAt: at }: RunRow): string {
  return `${id}@${at}`;
}

function NoRuns() {
  if (hasFilters(query.value)) {
    return (
      <Empty icon="search" title="No run matches">
        <Link to="/runs">Remove all filters</Link>
      </Empty>
    );
  }
  return (
    <Empty icon="list" title="No runs yet">
      <p>A run appears here when a client triggers a workflow, or when you start one.</p>
    </Empty>
  );
}

interface TableProps {
  readonly runs: readonly RunRow[];
  readonly chosen: ReadonlySet<string>;
  readonly choose: (keys: ReadonlySet<string>) => void;
}

function RunsTable({ runs, chosen, choose }: TableProps) {
  const all = runs.length > 0 && runs.every((run) => chosen.has(keyOf(run)));
  const toggle = (key: string): void => {
    const next = new Set(chosen);
    if (!next.delete(key)) next.add(key);
    choose(next);
  };
  return (
    <div class="table-scroll">
      <table class="rows" onKeyDown={moveAmongRows}>
        <thead>
          <tr>
            <th class="narrow">
              <input
                type="checkbox"
                aria-label="Select all runs of this page"
                checked={all}
                onChange={() => choose(all ? new Set() : new Set(runs.map(keyOf)))}
              />
            </th>
            <th>State</th>
            <th>Workflow</th>
            <th>Run</th>
            <th class="number">Steps</th>
            <th class="number">Took</th>
            <th class="number">Started</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <RunRowView key={keyOf(run)} run={run} isChosen={chosen.has(keyOf(run))} toggle={toggle} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps {
  readonly run: RunRow;
  readonly isChosen: boolean;
  readonly toggle: (key: string) => void;
}

function RunRowView({ run, isChosen, toggle }: RowProps) {
  const { workflowRunId: id, workflowRunCreatedAt: at, error } = run;
  return (
    <tr class={isChosen ? "is-chosen" : ""}>
      <td class="narrow">
        <input
          type="checkbox"
          aria-label={`Select the run ${id}`}
          checked={isChosen}
          onChange={() => toggle(keyOf(run))}
        />
      </td>
      <td>
        <Status look={RUN_LOOKS[run.workflowState]} />
      </td>
      <td class="wide">
        <WorkflowName url={run.workflowUrl} />
        {run.labels?.map((label) => (
          <span key={label} class="tag">
            <Line text={label} />
          </span>
        ))}
        {error && (
          <div class="row-error">
            <Line text={errorLine(error)} />
          </div>
        )}
      </td>
      <td>
        <RowLink to={runPath(id, at)} text={id} />
      </td>
      <td class="number">{run.stepCount}</td>
      <td class="number">{duration((run.workflowRunCompletedAt ?? now.value) - at)}</td>
      <td class="number">
        <Time at={at} />
      </td>
    </tr>
  );
}

/** The link of a row: the arrow keys move among these. */
function RowLink({ to, text }: { readonly to: string; readonly text: string }) {
  return (
    <Link to={to} class="mono row-link" row>
      <Line text={text} />
    </Link>
  );
}
