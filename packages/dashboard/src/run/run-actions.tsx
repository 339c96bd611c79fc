import type { RunRef } from "../api/types.ts";
import { runPath } from "../router.ts";
import type { Action } from "../ui/action.tsx";

type Revived = { readonly workflowRunId: string; readonly workflowCreatedAt: number };

/** The requests by which a user steers a run. */
export function resumeAction(dlqId: string, body?: object): Action<Revived> {
  return {
    target: `/v2/workflows/dlq/resume/${encodeURIComponent(dlqId)}`,
    options: { method: "POST", ...(body === undefined ? {} : { body }) },
    done: (run) => ({ text: "Resumed as a new run", ...linkTo(run) }),
  };
}

export function restartAction(dlqId: string, body?: object): Action<Revived> {
  return {
    target: `/v2/workflows/dlq/restart/${encodeURIComponent(dlqId)}`,
    options: { method: "POST", ...(body === undefined ? {} : { body }) },
    done: (run) => ({ text: "Restarted as a new run", ...linkTo(run) }),
  };
}

function linkTo({ workflowRunId, workflowCreatedAt }: Revived): { to: string; toLabel: string } {
  return { to: runPath(workflowRunId, workflowCreatedAt), toLabel: "Open it" };
}

export function callFailureFunctionAction(dlqId: string, after: () => void): Action {
  return {
    target: `/v2/workflows/dlq/callback/${encodeURIComponent(dlqId)}`,
    options: { method: "POST" },
    done: () => ({ text: "The failure function is called again" }),
    after,
  };
}

export function cancelReportAction(dlqId: string, after: () => void): Action {
  return {
    target: `/v2/workflows/dlq/callback/${encodeURIComponent(dlqId)}`,
    options: { method: "DELETE" },
    done: () => ({ text: "No more attempts to call the failure function" }),
    after,
  };
}

export function retryRollbacksAction(dlqId: string, after: () => void): Action {
  return {
    target: `/v2/workflows/dlq/rollback/${encodeURIComponent(dlqId)}`,
    options: { method: "POST" },
    done: () => ({ text: "The failed rollbacks are made again" }),
    after,
  };
}

export function deleteDeadLetterAction(dlqId: string, after: () => void): Action {
  return {
    target: `/v2/dlq/${encodeURIComponent(dlqId)}`,
    options: { method: "DELETE" },
    done: () => ({ text: "The dead letter is deleted" }),
    after,
  };
}

export function cancelRunAction({ workflowRunId: id }: RunRef, after: () => void): Action {
  return {
    target: `/v2/workflows/runs/${encodeURIComponent(id)}`,
    options: { method: "DELETE" },
    done: () => ({ text: "The run is cancelled" }),
    after,
  };
}

export function wakeAction(run: RunRef, stepName: string | undefined, after: () => void): Action {
  return {
    target: ofRun(run, "wake"),
    options: { method: "POST", ...(stepName === undefined ? {} : { body: { stepName } }) },
    done: () => ({ text: "The sleep is over" }),
    after,
  };
}

export function retryNowAction(run: RunRef, after: () => void): Action {
  return {
    target: ofRun(run, "retry"),
    options: { method: "POST" },
    done: () => ({ text: "The next attempt begins now" }),
    after,
  };
}

function ofRun({ workflowRunId: id }: RunRef, verb: string): string {
  return `/v2/workflows/runs/${encodeURIComponent(id)}/${verb}`;
}
