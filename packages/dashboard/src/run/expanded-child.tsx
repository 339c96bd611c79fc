import { useEffect } from "preact/hooks";
import { ask } from "../api/http.ts";
import { useResource } from "../api/resource.ts";
import type { Overview, RunRef } from "../api/types.ts";
import { now } from "../format/time.ts";
import { ErrorBox } from "../ui/states.tsx";
import type { LoadedChild } from "./timeline.ts";
import { useSteps } from "./use-steps.ts";

interface ChildProps {
  readonly run: RunRef;
  readonly onLoad: (run: RunRef, child: LoadedChild) => void;
}

/** Loads an invoked run for the waterfall of the run that has invoked it, and keeps it up to date. */
export function ExpandedChild({ run, onLoad }: ChildProps) {
  const { workflowRunId: id, workflowRunCreatedAt: at } = run;
  const target = `/v2/workflows/runs/${encodeURIComponent(id)}/overview?workflowCreatedAt=${at}`;
  const overview = useResource(target, (signal) => ask<Overview>(target, { signal }), {
    names: ["run"],
    runId: id,
  });
  const { steps, error, reload } = useSteps(run, overview.data?.workflowState ?? "");
  const end = overview.data?.workflowRunCompletedAt;
  useEffect(() => {
    onLoad({ workflowRunId: id, workflowRunCreatedAt: at }, { steps, start: at, end: end ?? now.peek() });
  }, [id, at, steps, end, onLoad]);
  return error ? <ErrorBox error={error} retry={reload} /> : null;
}
