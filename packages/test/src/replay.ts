import type { WorkflowContext as Context } from "@perdure/core";
import { parseHistory } from "@perdure/core/protocol";
import {
  collectRollbacks,
  type EndpointDefinition,
  readHistory,
  readStepHistory,
  WorkflowContext,
} from "@perdure/core/testing";
import { HISTORY_VERSION, type HistoryFile } from "@perdure/engine";
import type { TestedWorkflow } from "./endpoints.ts";
import { TestEngine, type TestEngineOptions } from "./test-engine.ts";

/** A workflow doesn't fit a recorded history. */
export class ReplayError extends Error {
  override name = "ReplayError";
}

/** Options of {@link assertReplays}. */
export type ReplayOptions = Pick<TestEngineOptions, "env" | "fakeDate">;

/**
 * Asserts that a workflow's code fits a recorded history: that it requests each recorded step, and, of a run that has
 * succeeded, no other, and returns the same result. Run it in the tests of a deployment with the histories of runs that
 * are in flight. Carries out no step.
 *
 * @param history a file that `perdure export` has written, its content, or `run.history()`
 * @throws ReplayError that names the steps that differ
 * @example
 * ```ts
 * await assertReplays(order, readFileSync("test/histories/order-7.json", "utf8"));
 * ```
 */
export async function assertReplays(
  workflow: TestedWorkflow,
  history: HistoryFile | string,
  options: ReplayOptions = {},
): Promise<void> {
  const file = readFile(history);
  const { pathname } = new URL(file.workflowUrl);
  let complaint: string | undefined = "The workflow was not called.";
  const replay: EndpointReplay = (endpoint) => async (context) => {
    complaint = await compare(endpoint, context, file);
  };
  const test = new TestEngine({ ...options, workflows: { [pathname]: workflow } }, { replay });
  try {
    const { payload } = readHistory(file.history);
    const run = await test.trigger(pathname, payload === "" ? undefined : payload, { retries: 0 });
    const { error } = await run.end();
    if (error || complaint)
      throw new ReplayError(
        `The workflow doesn't fit the history of the run ${file.workflowRunId}. ${complaint && !error ? complaint : error?.message}`,
      );
  } finally {
    await test.close();
  }
}

/** Makes the function that is called in a workflow's place. */
export type EndpointReplay = (endpoint: EndpointDefinition) => EndpointDefinition["workflow"];

function readFile(history: HistoryFile | string): HistoryFile {
  const file = typeof history === "string" ? (JSON.parse(history) as HistoryFile) : history;
  if (file?.perdureHistory !== HISTORY_VERSION)
    throw new TypeError(
      `The history must be a file of perdure export, version ${HISTORY_VERSION}; got version ${file?.perdureHistory}.`,
    );
  return { ...file, history: parseHistory(JSON.stringify(file.history)) };
}

/** @returns undefined when the workflow fits */
async function compare(
  endpoint: EndpointDefinition,
  context: Context,
  file: HistoryFile,
): Promise<string | undefined> {
  const { workflowRunId, workflowRunCreatedAt, workflowState, workflowRunResponse } = file;
  const { records } = readHistory(file.history);
  let returned: { readonly json: string | undefined } | undefined;
  const replayed = await collectRollbacks(readStepHistory(records), async (host) => {
    const own = new WorkflowContext(context, host);
    Object.assign(own, { workflowRunId, workflowRunCreatedAt });
    returned = { json: JSON.stringify(await endpoint.workflow(own)) };
  });
  const missing = [...replayed.unmatched].filter(({ optional }) => !optional);
  const isComplete = workflowState === "RUN_SUCCESS";
  const extra = isComplete ? replayed.newSteps : [];
  if (missing.length + extra.length > 0) {
    const recorded = missing.map(({ id, name, type }) => `${id} "${name}" (${type})`).join(", ");
    const requested = replayed.newSteps.map(({ step: { name, type } }) => `"${name}" (${type})`).join(", ");
    return `Recorded, not requested: ${recorded || "none"}. Requested, not recorded: ${requested || "none"}.`;
  }
  if (isComplete && replayed.error) return `It throws: ${String(replayed.error)}`;
  if (isComplete && workflowRunResponse !== undefined && returned?.json !== workflowRunResponse)
    return `It returns ${returned?.json}, and the run has returned ${workflowRunResponse}.`;
  return undefined;
}
