import { readFailure } from "@perdure/core/protocol";
import colors from "picocolors";
import { printable } from "../terminal.ts";
import type { RemoteEngine } from "./engine.ts";
import { formatDuration, formatTable, formatTime, formatWait, printableValue, printJson } from "./output.ts";
import { findRun } from "./run-id.ts";
import { colorState, wordOf } from "./states.ts";
import { lastError, resultText, type Step, type StepsPage } from "./steps.ts";

/** The flags of `perdure show`. */
export interface ShowFlags {
  readonly json?: boolean;
}

interface RunError {
  readonly name: string;
  readonly message: string;
  readonly where?: string;
  readonly step?: { readonly name: string };
}

/** The call of a failure or cancel function. */
interface Report {
  readonly state: string;
  readonly responseBody?: string;
  readonly responseStatus?: number;
}

/** One run, as `GET /v2/workflows/runs/{id}/overview` shows it. */
interface Overview {
  readonly workflowRunId: string;
  readonly workflowUrl: string;
  readonly workflowState: string;
  readonly workflowRunCreatedAt: number;
  readonly workflowRunCompletedAt?: number;
  readonly workflowRunResponse?: string;
  readonly labels?: readonly string[];
  readonly payload?: string;
  readonly error?: RunError;
  readonly dlqId?: string;
  readonly failureFunction?: Report;
  readonly cancelFunction?: Report;
  readonly rollbacks?: readonly {
    readonly stepName: string;
    readonly state: string;
    readonly error?: { readonly message: string };
  }[];
  readonly children?: readonly {
    readonly workflowRunId: string;
    readonly workflowState: string;
    readonly stepName: string;
  }[];
  readonly waitsFor: readonly { readonly text: string }[];
  readonly resumedFrom?: string;
  readonly resumedAs?: { readonly workflowRunId: string };
}

const PAGE_SIZE = 1000;

/** Runs `perdure show <run>`: prints a run's state, its steps, what it waits for, and how it failed. */
export async function show(engine: RemoteEngine, id: string, { json }: ShowFlags): Promise<void> {
  const { workflowRunId, workflowRunCreatedAt: workflowCreatedAt } = await findRun(engine, id);
  const path = `workflows/runs/${encodeURIComponent(workflowRunId)}`;
  const overview = await engine.request<Overview>("GET", `${path}/overview`, {
    query: { workflowCreatedAt },
  });
  const steps: Step[] = [];
  let cursor: string | undefined;
  do {
    const query = { workflowCreatedAt, count: PAGE_SIZE, cursor };
    const page = await engine.request<StepsPage>("GET", `${path}/steps`, { query });
    steps.push(...page.steps);
    cursor = page.cursor;
  } while (cursor !== undefined);
  if (json) printJson({ ...overview, steps });
  else console.log([...headOf(overview), "", stepTable(steps), ...endOf(overview)].join("\n"));
}

function headOf(run: Overview): string[] {
  const end = run.workflowRunCompletedAt;
  const took = formatDuration((end ?? Date.now()) - run.workflowRunCreatedAt);
  const state = colorState(wordOf(run.workflowState), run.workflowState);
  return [
    `${colors.bold(printable(run.workflowRunId))}  ${state}  ${colors.dim(end === undefined ? `for ${took}` : `after ${took}`)}`,
    ...linesOf([
      ["workflow", run.workflowUrl],
      ["started", formatTime(run.workflowRunCreatedAt)],
      ["labels", run.labels?.join(", ")],
      ["payload", run.payload],
      ["result", run.workflowState === "RUN_SUCCESS" ? run.workflowRunResponse : undefined],
      ["resumed from", run.resumedFrom],
      ["resumed as", run.resumedAs?.workflowRunId],
    ]),
  ];
}

function stepTable(steps: readonly Step[]): string {
  return formatTable(steps, [
    { title: "STEP", cell: ({ stepName = "(delivery)" }) => stepName, shrinkTo: 12 },
    { title: "KIND", cell: ({ stepType = "" }) => stepType },
    { title: "STATE", cell: ({ state }) => STEP_WORDS[state] ?? state, color: colorStep },
    {
      title: "TOOK",
      cell: ({ durationMs }) => (durationMs === undefined ? "" : formatDuration(durationMs)),
      align: "right",
    },
    {
      title: "FAILED",
      cell: ({ errors = [] }) => (errors.length > 0 ? `${errors.length}×` : ""),
      align: "right",
    },
    { title: "RESULT", cell: (step) => resultText(step) ?? lastError(step.errors) ?? "", shrinkTo: 10 },
  ]);
}

function endOf(run: Overview): string[] {
  const lines = [
    ...run.waitsFor.map(({ text }) => `${colors.cyan("waits:")} ${formatWait(text)}`),
    ...(run.children ?? []).map(
      ({ workflowRunId, workflowState, stepName }) =>
        `${colors.dim("child")} ${printable(stepName)}: ${printable(workflowRunId)} ${colorState(wordOf(workflowState), workflowState)}`,
    ),
    ...storyOf(run),
  ];
  return lines.length > 0 ? ["", ...lines] : [];
}

/** Tells what followed the end of a run: its error, the rollbacks, the failure or cancel function, and the commands that continue it. */
function storyOf({ error, rollbacks = [], failureFunction, cancelFunction, dlqId }: Overview): string[] {
  const where = error?.step ? ` in step "${printable(error.step.name)}"` : "";
  return [
    ...(error
      ? [`${colors.red("failed")}${where}: ${printableValue(`${error.name}: ${error.message}`)}`]
      : []),
    ...rollbacks.map(
      ({ stepName, state, error: thrown }) =>
        `${colors.dim("rollback")} ${printable(stepName)}: ${printable(thrown ? `${state}: ${thrown.message}` : state)}`,
    ),
    ...reportLines("failure function", failureFunction),
    ...reportLines("cancel function", cancelFunction),
    ...(dlqId
      ? [
          "",
          `Continue it with its recorded steps: perdure dlq resume ${dlqId}`,
          `Start it again from the beginning: perdure dlq restart ${dlqId}`,
        ]
      : []),
  ];
}

function reportLines(name: string, report: Report | undefined): string[] {
  if (!report) return [];
  const state = CALLBACK_STATES[report.state] ?? printable(report.state);
  return [`${colors.dim(name)} ${state}: ${printableValue(answerOf(report))}`];
}

/** The result of a failure or cancel function, or the error that it threw. */
function answerOf({ state, responseBody = "", responseStatus = 0 }: Report): string {
  if (state !== "CALLBACK_FAIL") return responseBody;
  const { name, message } = readFailure(responseBody, responseStatus);
  return `${name}: ${message}`;
}

const CALLBACK_STATES: Readonly<Record<string, string>> = {
  CALLBACK_INPROGRESS: "not heard yet",
  CALLBACK_SUCCESS: "ran",
  CALLBACK_FAIL: "failed",
  CALLBACK_CANCELED: "cancelled",
};

function linesOf(pairs: readonly (readonly [name: string, value: string | undefined])[]): string[] {
  return pairs.flatMap(([name, value]) =>
    value ? `${colors.dim(name.padEnd(12))} ${printableValue(value)}` : [],
  );
}

const STEP_WORDS: Readonly<Record<string, string>> = {
  STEP_PROGRESS: "in progress",
  STEP_SUCCESS: "succeeded",
  STEP_RETRY: "retrying",
  STEP_FAILED: "failed",
  STEP_CANCELED: "cancelled",
};

function colorStep(text: string, { state }: Step): string {
  if (/FAIL/.test(state)) return colors.red(text);
  return /SUCCESS/.test(state) ? colors.green(text) : colors.cyan(text);
}
