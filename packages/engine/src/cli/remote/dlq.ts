import type { DeadLetter } from "@perdure/core";
import { CommandError, EXIT } from "./command-error.ts";
import { type ConfirmFlags, confirm } from "./confirm.ts";
import type { Query, RemoteEngine } from "./engine.ts";
import { readInput, toCount } from "./input.ts";
import { formatDistance, formatTable, printJson } from "./output.ts";
import { toMilliseconds } from "./run-filters.ts";
import { pathOf } from "./runs.ts";

/** The flags that select dead letters. A dead letter must match all of them. */
export interface DeadLetterFlags {
  readonly workflow?: string;
  readonly label?: string;
  /** The fingerprint of an error, as `perdure dlq groups` shows it. */
  readonly error?: string;
  readonly since?: string;
}

/** The flags of the commands that change dead letters. */
export interface ChangeFlags extends DeadLetterFlags, ConfirmFlags {
  readonly all?: boolean;
  readonly payload?: string;
  readonly json?: boolean;
}

/** A dead letter with the engine's own words for its failure. */
interface Letter extends DeadLetter {
  readonly error?: string;
}

/** A group of dead letters with the same error. */
interface Group {
  readonly fingerprint: string;
  readonly errorName: string;
  readonly message: string;
  readonly stepName?: string;
  readonly workflowUrl?: string;
  readonly count: number;
  readonly lastSeen: number;
}

interface DeadLettersPage {
  readonly messages: readonly Letter[];
  readonly cursor?: string;
}

/** The largest page that the engine returns. */
const MAX_PAGE_SIZE = 100;

/** Runs `perdure dlq list`: lists failed runs, the newest first. */
export async function list(
  engine: RemoteEngine,
  flags: DeadLetterFlags & { readonly limit: string; readonly json?: boolean },
): Promise<void> {
  const now = Date.now();
  const letters = await fetchAll(engine, toQuery(flags, now), toCount("--limit", flags.limit));
  if (flags.json) return printJson(letters);
  if (letters.length === 0) return console.log("No dead letters.");
  const table = formatTable(letters, [
    { title: "DLQ ID", cell: ({ dlqId }) => dlqId },
    { title: "RUN", cell: ({ workflowRunId }) => workflowRunId, shrinkTo: 10 },
    { title: "WORKFLOW", cell: ({ workflowUrl }) => pathOf(workflowUrl), shrinkTo: 8 },
    {
      title: "FAILED",
      cell: ({ failedAt, createdAt }) => formatDistance(failedAt ?? createdAt, now),
      align: "right",
    },
    { title: "STATUS", cell: ({ responseStatus }) => String(responseStatus || "none"), align: "right" },
    { title: "ERROR", cell: errorOf, shrinkTo: 12 },
  ]);
  console.log(table);
}

/** Runs `perdure dlq groups`: lists the errors of failed runs, with the number of runs of each. */
export async function groups(
  engine: RemoteEngine,
  flags: DeadLetterFlags & { readonly json?: boolean },
): Promise<void> {
  const now = Date.now();
  const found = await engine.request<{ groups: Group[] }>("GET", "workflows/dlq/groups", {
    query: toQuery(flags, now),
  });
  if (flags.json) return printJson(found.groups);
  if (found.groups.length === 0) return console.log("No dead letters.");
  const table = formatTable(found.groups, [
    { title: "ERROR ID", cell: ({ fingerprint }) => fingerprint },
    { title: "RUNS", cell: ({ count }) => String(count), align: "right" },
    { title: "LAST", cell: ({ lastSeen }) => formatDistance(lastSeen, now), align: "right" },
    { title: "WORKFLOW", cell: ({ workflowUrl = "" }) => pathOf(workflowUrl), shrinkTo: 8 },
    { title: "STEP", cell: ({ stepName = "" }) => stepName, shrinkTo: 8 },
    { title: "ERROR", cell: ({ errorName, message }) => `${errorName}: ${message}`, shrinkTo: 12 },
  ]);
  console.log(table);
}

/** Runs `perdure dlq show <id>`: prints a dead letter as JSON. */
export async function showLetter(engine: RemoteEngine, dlqId: string): Promise<void> {
  printJson(await engine.request("GET", `workflows/dlq/${encodeURIComponent(dlqId)}`));
}

const ACTIONS = {
  resume: { verb: "Resume", of: "run", done: "resumed" },
  restart: { verb: "Restart", of: "run", done: "restarted" },
  retry: { verb: "Call the failure functions of", of: "run", done: "reported to the failure function again" },
  delete: { verb: "Delete", of: "dead letter", done: "deleted" },
} as const;

/** The actions on dead letters. */
export type Action = keyof typeof ACTIONS;

/**
 * Runs `perdure dlq resume|restart|retry|delete`: changes the named dead letters, or all that match the flags.
 *
 * @throws CommandError without ids and filters, unless `--all` is given
 */
export async function change(
  engine: RemoteEngine,
  action: Action,
  { ids, flags }: { readonly ids: readonly string[]; readonly flags: ChangeFlags },
): Promise<void> {
  const selected = ids.length > 0 ? ids : await select(engine, flags);
  if (flags.payload !== undefined) return changePayload(engine, action, { selected, flags });
  const { verb, of, done } = ACTIONS[action];
  const count = countOf(selected.length, of);
  const isBulk = ids.length !== 1 || action === "delete";
  if (isBulk && selected.length > 0 && !(await confirm(`${verb} ${count}`, flags))) return;
  const started: string[] = [];
  let changed = 0;
  for (let at = 0; at < selected.length; at += MAX_PAGE_SIZE) {
    const applied = await apply(engine, action, selected.slice(at, at + MAX_PAGE_SIZE));
    started.push(...applied.runIds);
    changed += applied.changed;
  }
  if (flags.json) printJson({ [done.split(" ")[0] as string]: changed, workflowRunIds: started });
  else {
    for (const runId of started) console.log(runId);
    console.error(`${countOf(changed, of)} ${done}.`);
  }
  if (ids.length > changed)
    throw new CommandError(
      EXIT.notFound,
      changed === 0
        ? `The dead letter queue has no ${ids.join(", ")}.`
        : `The dead letter queue has only ${changed} of ${ids.join(", ")}.`,
    );
}

function countOf(count: number, of: string): string {
  return count === 1 ? `1 ${of}` : `${count} ${of}s`;
}

async function select(engine: RemoteEngine, flags: ChangeFlags): Promise<string[]> {
  const isFiltered = [flags.workflow, flags.label, flags.error, flags.since].some((one) => one !== undefined);
  if (!isFiltered && !flags.all)
    throw new CommandError(
      EXIT.usage,
      "Name dead letters, select them by flags such as --error, or give --all.",
    );
  const letters = await fetchAll(engine, toQuery(flags, Date.now()), Number.POSITIVE_INFINITY);
  return letters.map(({ dlqId }) => dlqId);
}

interface Applied {
  readonly changed: number;
  /** The runs that go on. */
  readonly runIds: readonly string[];
}

async function apply(engine: RemoteEngine, action: Action, dlqIds: readonly string[]): Promise<Applied> {
  const query = { dlqIds };
  if (action === "delete") {
    const { deleted } = await engine.request<{ deleted: number }>("DELETE", "workflows/dlq", { query });
    return { changed: deleted, runIds: [] };
  }
  const path = `workflows/dlq/${action === "retry" ? "callback" : action}`;
  const { workflowRuns } = await engine.request<{ workflowRuns: { workflowRunId: string }[] }>("POST", path, {
    query,
  });
  const runIds = workflowRuns.map(({ workflowRunId }) => workflowRunId);
  return { changed: runIds.length, runIds };
}

async function changePayload(
  engine: RemoteEngine,
  action: Action,
  { selected, flags }: { readonly selected: readonly string[]; readonly flags: ChangeFlags },
): Promise<void> {
  const [dlqId, ...others] = selected;
  if (dlqId === undefined || others.length > 0)
    throw new CommandError(EXIT.usage, "--payload changes one run: name its dead letter.");
  const payload = await readInput(flags.payload ?? "");
  const path = `workflows/dlq/${action}/${encodeURIComponent(dlqId)}`;
  const run = await engine.request<{ workflowRunId: string }>("POST", path, { body: { payload } });
  if (flags.json) printJson(run);
  else console.log(run.workflowRunId);
}

function toQuery({ workflow, label, error, since }: DeadLetterFlags, now: number): Query {
  return {
    workflowUrl: workflow,
    label,
    fingerprint: error,
    fromDate: since === undefined ? undefined : now - toMilliseconds("--since", since),
  };
}

async function fetchAll(engine: RemoteEngine, query: Query, limit: number): Promise<Letter[]> {
  const found: Letter[] = [];
  let cursor: string | undefined;
  while (found.length < limit) {
    const count = Math.min(MAX_PAGE_SIZE, limit - found.length);
    const page = await engine.request<DeadLettersPage>("GET", "workflows/dlq", {
      query: { ...query, count, cursor },
    });
    found.push(...page.messages);
    cursor = page.cursor;
    if (cursor === undefined) break;
  }
  return found;
}

/**
 * Returns the message of an endpoint's answer; for an answer that isn't a workflow's, the answer itself. Behind a 2xx, the
 * error is the engine's.
 */
function errorOf({ responseBody: body = "", responseStatus, error = body }: Letter): string {
  return responseStatus >= 200 && responseStatus < 300 ? error : messageOf(body);
}

function messageOf(body: string): string {
  try {
    const { error, message } = JSON.parse(body) as { error?: unknown; message?: unknown };
    if (typeof message === "string") return typeof error === "string" ? `${error}: ${message}` : message;
  } catch {
    // The answer of something else isn't JSON.
  }
  return body;
}
