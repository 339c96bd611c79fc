/** The parts of the engine's answers that the page reads. Times are milliseconds since 1970. */

export type RunState = "RUN_STARTED" | "RUN_SUCCESS" | "RUN_FAILED" | "RUN_CANCELED";
export type StepState = "STEP_PROGRESS" | "STEP_SUCCESS" | "STEP_RETRY" | "STEP_FAILED" | "STEP_CANCELED";
export type ReportState = "CALLBACK_INPROGRESS" | "CALLBACK_SUCCESS" | "CALLBACK_FAIL" | "CALLBACK_CANCELED";

export interface Access {
  readonly access: "full" | "read only";
  readonly payloads: boolean;
  readonly search?: boolean;
  readonly version?: string;
  readonly user?: string;
  readonly canLogOut: boolean;
}

/** The workflows of the newest runs. */
export interface WorkflowUrls {
  readonly urls: readonly { readonly workflowUrl: string }[];
}

export interface RunRef {
  readonly workflowRunId: string;
  readonly workflowRunCreatedAt: number;
}

export interface RunRow extends RunRef {
  readonly workflowUrl: string;
  readonly workflowState: RunState;
  readonly workflowRunCompletedAt?: number;
  readonly labels?: readonly string[];
  readonly flowControlKey?: string;
  readonly stepCount: number;
  readonly error?: { readonly name: string; readonly message: string };
  readonly dlqId?: string;
  readonly invoker?: RunRef & { readonly workflowUrl: string };
}

export interface RunPage {
  readonly runs: readonly RunRow[];
  readonly cursor?: string;
}

export interface ErrorInfo {
  readonly name?: string;
  readonly error?: string;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: unknown;
  readonly where?: string;
  readonly step?: { readonly id: number; readonly name: string; readonly type: string };
}

export interface Attempt {
  readonly error: string;
  readonly body?: string;
  readonly headers?: Headers;
  readonly status: number;
  readonly time: number;
}

export type Headers = Readonly<Record<string, readonly string[]>>;

export interface Rollback {
  readonly stepId: number;
  readonly stepName: string;
  readonly stepType: string;
  readonly state: "done" | "failed";
  readonly attempts: number;
  readonly error?: ErrorInfo;
  readonly time?: number;
}

/** The call of a failure function or a cancel function. */
export interface Report {
  readonly messageId: string;
  readonly url: string;
  readonly state: ReportState;
  readonly errors?: readonly Attempt[];
  readonly maxRetries: number;
  readonly nextDeliveryTime?: number;
  readonly responseBody?: string;
  readonly responseHeaders?: Headers;
  readonly responseStatus?: number;
}

export interface FailureReport extends Report {
  readonly failHeaders: Headers;
  readonly failStatus: number;
  readonly failResponse: string;
  readonly dlqId: string;
}

/** A thing that a run waits for. */
export interface WaitsFor {
  readonly kind: string;
  readonly text: string;
  readonly stepName?: string;
  readonly eventId?: string;
  readonly until?: number;
  readonly at?: number;
  readonly attempt?: number;
  readonly attempts?: number;
  readonly workflowRunId?: string;
  readonly workflowRunCreatedAt?: number;
  readonly key?: string;
  readonly queue?: string;
  readonly url?: string;
}

export interface Child extends RunRef {
  readonly workflowUrl: string;
  readonly workflowState: RunState;
  readonly workflowRunCompletedAt?: number;
  readonly stepName: string;
}

export interface Overview extends RunRef {
  readonly workflowUrl: string;
  readonly workflowState: RunState;
  readonly workflowRunCompletedAt?: number;
  readonly workflowRunCallerIp?: string;
  readonly labels?: readonly string[];
  readonly flowControlKey?: string;
  readonly inline?: boolean;
  readonly deadline?: number;
  readonly payload?: string;
  readonly payloadBase64?: string;
  readonly payloadHeaders?: Headers;
  readonly workflowRunResponse?: string;
  readonly stepCount: number;
  readonly error?: ErrorInfo;
  readonly dlqId?: string;
  readonly fingerprint?: string;
  readonly failureFunction?: FailureReport;
  readonly cancelFunction?: Report;
  readonly rollbacks?: readonly Rollback[];
  readonly invoker?: RunRef & { readonly workflowUrl: string };
  readonly children?: readonly Child[];
  readonly resumedFrom?: string;
  readonly resumedAs?: RunRef;
  readonly waitsFor: readonly WaitsFor[];
}

export interface Step {
  readonly stepId?: number;
  readonly stepName?: string;
  readonly stepType?: string;
  readonly state?: StepState;
  readonly group?: number;
  readonly concurrent?: number;
  readonly callType?: string;
  readonly messageId: string;
  /** The number of the delivery in which an inline run did the step. */
  readonly invocation?: number;
  readonly createdAt?: number;
  readonly startedAt?: number;
  readonly durationMs?: number;
  readonly out?: string;
  readonly errors?: readonly Attempt[];
  readonly retries?: number;
  readonly nextDeliveryTime?: number;
  readonly sleepFor?: number | string;
  readonly sleepUntil?: number | string;
  readonly waitEventId?: string;
  readonly waitTimeout?: boolean;
  readonly waitTimeoutDeadline?: number;
  readonly callUrl?: string;
  readonly callMethod?: string;
  readonly callBody?: string;
  readonly callHeaders?: Headers;
  readonly callResponseStatus?: number;
  readonly callResponseBody?: string;
  readonly callResponseHeaders?: Headers;
  readonly invokedWorkflowRunId?: string;
  readonly invokedWorkflowUrl?: string;
  readonly invokedWorkflowCreatedAt?: number;
  readonly invokedWorkflowRunBody?: string;
  readonly rollback?: {
    readonly state: "done" | "failed";
    readonly attempts: number;
    readonly time?: number;
  };
}

export interface StepPage {
  readonly steps: readonly Step[];
  readonly cursor?: string;
}

export interface Numbers {
  readonly bucket: number;
  readonly buckets: readonly {
    readonly time: number;
    readonly started: number;
    readonly succeeded: number;
    readonly failed: number;
    readonly canceled: number;
    readonly attempts?: number;
    readonly failedAttempts?: number;
    readonly maxLag?: number;
  }[];
  readonly now: {
    readonly live: number;
    readonly due: number;
    readonly waiting: number;
    readonly held: number;
    readonly deadLetters: number;
    readonly lag?: number;
  };
}

export interface DeadLetterGroup {
  readonly fingerprint: string;
  readonly errorName?: string;
  readonly message: string;
  readonly stepName?: string;
  readonly workflowUrl?: string;
  readonly url?: string;
  readonly count: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
  readonly dlqId: string;
  readonly workflowRunId?: string;
}

export interface DeadLetter {
  readonly dlqId: string;
  readonly messageId: string;
  readonly url: string;
  readonly method: string;
  readonly header?: Headers;
  readonly body?: string;
  readonly bodyBase64?: string;
  readonly failedAt: number;
  readonly maxRetries: number;
  readonly error: string;
  readonly responseStatus: number;
  readonly responseHeader?: Headers;
  readonly responseBody?: string;
  readonly workflowRunId?: string;
  readonly workflowCreatedAt?: number;
  readonly workflowUrl?: string;
  readonly queueName?: string;
  readonly failureFunctionState?: ReportState;
}

export interface Waiter extends RunRef {
  readonly eventId: string;
  readonly stepName: string;
  readonly webhook: boolean;
  readonly workflowUrl: string;
  readonly createdAt: number;
  readonly deadline: number;
}

export interface PendingMessage {
  readonly messageId: string;
  readonly kind: string;
  readonly url: string;
  readonly status: string;
  readonly at?: number;
  readonly attempt: number;
  readonly retries: number;
  readonly workflowRunId?: string;
  readonly workflowRunCreatedAt?: number;
  readonly queueName?: string;
  readonly flowControlKey?: string;
}

export interface Queue {
  readonly name: string;
  readonly parallelism: number;
  readonly paused: boolean;
  readonly lag: number;
  readonly createdAt: number;
}

export interface Flow {
  readonly flowControlKey: string;
  readonly waitListSize: number;
  readonly parallelismMax: number;
  readonly parallelismCount: number;
  readonly rateMax: number;
  readonly rateCount: number;
  readonly ratePeriod: number;
  readonly isPaused: boolean;
  readonly isPinnedParallelism: boolean;
  readonly isPinnedRate: boolean;
}

export interface Schedule {
  readonly scheduleId: string;
  readonly cron: string;
  readonly destination: string;
  readonly method: string;
  readonly header?: Headers;
  readonly body?: string;
  readonly retries: number;
  readonly retryDelayExpression?: string;
  readonly delay?: number;
  readonly callback?: string;
  readonly failureCallback?: string;
  readonly queueName?: string;
  readonly labels?: readonly string[];
  readonly flowControlKey?: string;
  readonly parallelism?: number;
  readonly rate?: number;
  readonly period?: number;
  readonly isPaused: boolean;
  readonly createdAt: number;
  readonly lastScheduleTime?: number;
  readonly lastScheduleStates?: Readonly<Record<string, string>>;
  readonly nextScheduleTime?: number;
}

export interface UrlGroup {
  readonly name: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly endpoints: readonly { readonly url: string; readonly name?: string }[];
  readonly headers?: Headers;
}

export interface AuditEntry {
  readonly time: number;
  readonly actor: string;
  readonly person?: string;
  readonly action: string;
  readonly target?: string;
  readonly callerIp: string;
}
