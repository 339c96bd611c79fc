import { formatDuration } from "./duration.ts";
import type { RunRecord } from "./run-record.ts";
import type { StepRecord } from "./step-record.ts";

const MAX_RESULT_LENGTH = 200;

interface Line {
  readonly at: number;
  readonly text: string;
}

/** Returns what happened in a run, a line each, with the test's times since the run's start: for a snapshot. */
export function timelineOf(run: RunRecord): string {
  const { info, failure } = run;
  const ended = info?.workflowRunCompletedAt;
  const endedAt = ended === undefined ? Number.POSITIVE_INFINITY : ended - run.createdAt;
  const lines: Line[] = [
    ...run.steps.flatMap(linesOf),
    ...(info && info.workflowState !== "RUN_STARTED" ? [{ at: endedAt, text: endOf(run) }] : []),
  ];
  lines.sort((a, b) => a.at - b.at);
  const after = [
    ...(info?.rollbacks ?? []).map(({ stepName, state }) => `rollback of ${stepName}: ${state}`),
    ...(failure ? [`failure function: ${show(failure.error ?? failure.answer)}`] : []),
  ];
  return [
    ...lines.map(({ at, text }) => `${timeOf(at)}${text}`),
    ...after.map((text) => timeOf(endedAt) + text),
  ].join("\n");
}

function timeOf(ms: number): string {
  return `+${formatDuration(Math.max(0, ms))}`.padEnd(16);
}

function linesOf(step: StepRecord): Line[] {
  const { name, type, index, at, attempts, state, endedAt, result } = step;
  const title = `${index === 0 ? name : `${name} [${index}]`} (${type})`;
  const failed = attempts.flatMap(({ at, error }, number) =>
    error === undefined ? [] : [{ at, text: `${title} attempt ${number + 1}: ${error}` }],
  );
  const requested = attempts.length === 0 ? [{ at, text: `${title} begins` }] : [];
  // The address of a webhook has random ids.
  const shown = type === "CreateWebhook" ? "done" : show(result);
  const outcome = state === "failed" ? `failed: ${show(result)}` : shown;
  const end = endedAt === undefined ? [] : [{ at: endedAt, text: `${title}: ${outcome}` }];
  return [...requested, ...failed, ...end];
}

function endOf({ info }: RunRecord): string {
  const { workflowState = "", workflowRunResponse, workflowRunError } = info ?? {};
  const outcome = workflowRunError ? workflowRunError.message : workflowRunResponse;
  return `${workflowState}${outcome === undefined ? "" : `: ${outcome}`}`;
}

function show(value: unknown): string {
  if (value instanceof Error) return value.message;
  if (value instanceof Request) return `${value.method} request`;
  return (JSON.stringify(value) ?? "done").slice(0, MAX_RESULT_LENGTH);
}
