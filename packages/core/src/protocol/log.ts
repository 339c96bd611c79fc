import type { RunError } from "./error.ts";
import type { RollbackRecord } from "./rollback.ts";

export type RunState = "RUN_STARTED" | "RUN_SUCCESS" | "RUN_FAILED" | "RUN_CANCELED";

export type FailureFunctionState =
  | "CALLBACK_INPROGRESS"
  | "CALLBACK_SUCCESS"
  | "CALLBACK_FAIL"
  | "CALLBACK_CANCELED";

type Headers = Record<string, string[]>;

/** An attempt that failed. */
export interface AttemptError {
  readonly error: string;
  readonly body?: string;
  readonly headers?: Headers;
  /** 0 when there was no answer. */
  readonly status?: number;
  /** Milliseconds since 1970. */
  readonly time: number;
}

/** A step as the engine shows it. Optional fields belong to some kinds of step only. */
export interface StepLog {
  readonly stepId?: number;
  readonly stepName: string;
  readonly stepType: string;
  readonly callType: string;
  readonly messageId: string;
  readonly state: string;
  readonly concurrent: number;
  readonly createdAt: number;
  /** When the work of a step that ran inline began, in milliseconds since 1970. Perdure's own engine only. */
  readonly startedAt?: number;
  /** How long that work took, in milliseconds. */
  readonly durationMs?: number;
  readonly retries?: number;
  readonly retryDelay?: string;
  readonly headers?: Headers;
  readonly out?: unknown;
  readonly errors?: AttemptError[];
  readonly sleepFor?: number | string;
  readonly sleepUntil?: number;
  readonly waitEventId?: string;
  readonly waitTimeout?: boolean;
  readonly waitTimeoutDuration?: string;
  readonly waitTimeoutDeadline?: number;
  readonly callUrl?: string;
  readonly callMethod?: string;
  readonly callHeaders?: Headers;
  readonly callBody?: unknown;
  readonly callResponseStatus?: number;
  readonly callResponseBody?: unknown;
  readonly callResponseHeaders?: Headers;
  readonly invokedWorkflowRunId?: string;
  readonly invokedWorkflowUrl?: string;
  readonly invokedWorkflowCreatedAt?: number;
  readonly invokedWorkflowRunBody?: unknown;
  readonly invokedWorkflowRunHeaders?: Headers;
}

/** A pending or failed delivery. */
export interface NextStepLog {
  readonly messageId: string;
  readonly stepName?: string;
  readonly state: string;
  readonly retries: number;
  readonly retryDelay?: string;
  readonly nextDeliveryTime?: number;
  readonly errors?: AttemptError[];
}

export type StepGroup =
  | { readonly type: "sequential"; readonly steps: [StepLog] }
  | { readonly type: "parallel"; readonly steps: StepLog[] }
  | { readonly type: "next"; readonly steps: NextStepLog[] };

/** A run as the engine shows it. Times in milliseconds since 1970. */
export interface RunLog {
  readonly workflowRunId: string;
  readonly workflowUrl: string;
  readonly workflowState: RunState;
  readonly workflowRunCreatedAt: number;
  readonly workflowRunCompletedAt?: number;
  readonly workflowRunCallerIp?: string;
  /** The result as a JSON string. */
  readonly workflowRunResponse?: string;
  /** The error of a failed run. Perdure's own engine only. */
  readonly workflowRunError?: RunError;
  readonly steps: StepGroup[];
  readonly invoker?: {
    readonly workflowRunId: string;
    readonly workflowUrl: string;
    readonly workflowRunCreatedAt: number;
  };
  readonly failureFunction?: {
    readonly messageId: string;
    readonly url: string;
    readonly state: FailureFunctionState;
    readonly failHeaders?: Headers;
    readonly failStatus: number;
    /** The error's message; the answer's body when the answer isn't that of a workflow. */
    readonly failResponse: string;
    readonly dlqId: string;
    readonly errors?: AttemptError[];
    readonly responseBody?: string;
    readonly responseHeaders?: Headers;
    readonly responseStatus?: number;
    readonly maxRetries?: number;
    readonly nextDeliveryTime?: number;
  };
  /** State of the cancel function. Perdure's own engine only. */
  readonly cancelFunction?: {
    readonly messageId: string;
    readonly url: string;
    readonly state: FailureFunctionState;
    readonly errors?: AttemptError[];
    readonly responseBody?: string;
    readonly responseHeaders?: Headers;
    readonly responseStatus?: number;
    readonly maxRetries?: number;
    readonly nextDeliveryTime?: number;
  };
  /** The steps' rollbacks in the order in which they ran. Perdure's own engine only. */
  readonly rollbacks?: RollbackRecord[];
  readonly dlqId?: string;
  readonly label?: string;
  readonly labels?: string[];
  readonly flowControlKey?: string;
}

/** A run or a message that failed, and that the engine doesn't retry. */
export interface DeadLetter {
  readonly dlqId: string;
  readonly messageId: string;
  readonly url: string;
  readonly method: string;
  readonly header?: Headers;
  readonly body?: string;
  readonly bodyBase64?: string;
  readonly maxRetries: number;
  readonly notBefore: number;
  readonly createdAt: number;
  /** When the last attempt failed, in milliseconds since 1970. Engines other than Perdure's don't say. */
  readonly failedAt?: number;
  readonly callerIP?: string;
  readonly workflowRunId: string;
  readonly workflowCreatedAt: number;
  readonly workflowUrl: string;
  /** 0 when there was no answer. */
  readonly responseStatus: number;
  readonly responseHeader?: Headers;
  readonly responseBody?: string;
  readonly responseBodyBase64?: string;
  readonly failureCallback?: string;
  readonly failureCallbackInfo?: {
    readonly state?: FailureFunctionState;
    readonly responseStatus?: number;
    readonly responseBody?: string;
    readonly responseHeaders?: Headers;
  };
  /** The steps' rollbacks in the order in which they ran. Perdure's own engine only. */
  readonly rollbacks?: RollbackRecord[];
  readonly flowControlKey?: string;
  readonly label?: string;
  readonly labels?: string[];
}
