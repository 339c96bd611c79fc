import type { RunLog } from "@perdure/core";

/** How far a run is, in what a page shows. */
export interface Progress {
  readonly state: RunLog["workflowState"];
  readonly steps: readonly { readonly name: string; readonly state: string; readonly failures: number }[];
  /** What the workflow returned, as JSON text. */
  readonly result: string | undefined;
  /** What has become of the failure function, and what it returned. */
  readonly failure: { readonly state: string; readonly returned: string | undefined } | undefined;
  /** Nothing more will happen. */
  readonly ended: boolean;
}

/** What a run's log says of its progress. */
export function progressOf(run: RunLog): Progress {
  const { workflowState: state, workflowRunResponse: result, failureFunction: failure } = run;
  const steps = run.steps.flatMap((group): readonly Step[] => group.steps);
  return {
    state,
    steps: steps.map(({ stepName = "", state, errors = [] }) => ({
      name: stepName,
      state,
      failures: errors.length,
    })),
    result,
    failure: failure && { state: failure.state, returned: failure.responseBody },
    ended: state !== "RUN_STARTED" && failure?.state !== "CALLBACK_INPROGRESS",
  };
}

/** What is read of a step, finished or not. */
interface Step {
  readonly stepName?: string;
  readonly state: string;
  readonly errors?: readonly unknown[];
}
