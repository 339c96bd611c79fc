import type { RunLog } from "@perdure/core";

/** How far a run is, in what a page shows. */
export interface Progress {
  readonly state: RunLog["workflowState"];
  readonly steps: readonly { readonly name: string; readonly state: string; readonly failures: number }[];
  /** The workflow's result, as JSON text. */
  readonly result: string | undefined;
  /** The state of the failure function, and its result. */
  readonly failure: { readonly state: string; readonly returned: string | undefined } | undefined;
  /** Nothing more will happen. */
  readonly ended: boolean;
}

/** A run's progress, by its log. */
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

/** A step in the log, finished or not. */
interface Step {
  readonly stepName?: string;
  readonly state: string;
  readonly errors?: readonly unknown[];
}
