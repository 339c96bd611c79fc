import { formatDuration } from "./duration.ts";
import type { RunRecord } from "./run-record.ts";
import type { StepRecord } from "./step-record.ts";

/** Says for each run that hasn't ended what it waits for. */
export function describeWaits(runs: readonly RunRecord[], now: number): string {
  const live = runs.filter(({ isOver }) => !isOver);
  if (live.length === 0) return "Each run has ended.";
  return live.map((run) => describeRun(run, now)).join("\n");
}

function describeRun(run: RunRecord, now: number): string {
  const open = run.steps.filter((step) => !step.isOver).map(describeStep);
  const what = open.length > 0 ? open : ["it waits for no step. Does the workflow await something else?"];
  if (run.lastError !== undefined) what.push(`its last attempt failed: ${run.lastError}`);
  return `Run ${run.id}, ${formatDuration(now - run.createdAt)} after its start:\n${what.map((line) => `  - ${line}`).join("\n")}`;
}

function describeStep({ name, type, isOwn, state, eventId, attempts, at }: StepRecord): string {
  const since = `since +${formatDuration(at)}`;
  if (state === "running")
    return `step "${name}" is at work ${since} (attempt ${attempts.length}): its promise doesn't settle`;
  const last = attempts.at(-1);
  if (isOwn && !last) return `step "${name}" was requested ${since}, and has not begun`;
  if (last) return `step "${name}" waits for a retry after attempt ${attempts.length}: ${last.error}`;
  if (type === "Wait") return `step "${name}" waits for the event "${eventId}" ${since}: run.notify sends it`;
  if (type === "WaitForWebhook") return `step "${name}" waits for its webhook ${since}: run.webhook calls it`;
  return `step "${name}" (${type}) waits ${since}`;
}
