import type { RunChange } from "./run-changes.ts";

/** A change of a queue, a flow control key, a schedule or the dead letter queue by a request. */
export interface ObjectChange {
  readonly type: "object.changed";
  readonly of: "queue" | "flow" | "schedule" | "dlq";
  /** The name, key or id; absent for a change of several. */
  readonly key: string | undefined;
}

/** A change that a stream tells of. */
export type Change = RunChange | ObjectChange;

/** The kinds of events of a stream. */
export const STREAM_EVENTS = ["run", "message", "dlq", "queue", "flow", "schedule"] as const;

/** An event of a stream: its kind, and its fields in the answer. No field has a payload or a result. */
export interface StreamEvent {
  readonly event: (typeof STREAM_EVENTS)[number];
  readonly runId?: string | undefined;
  readonly data: Readonly<Record<string, unknown>> & { readonly type: string };
}

const KEYS = { queue: "name", flow: "key", schedule: "scheduleId", dlq: "dlqId" } as const;

/** The events that a stream sends for a change; none for what concerns no run, message or object. */
export function toStreamEvents(change: Change): StreamEvent[] {
  switch (change.type) {
    case "run.started":
    case "run.resumed":
      return [ofRun(change.runId, { type: change.type, workflowUrl: change.url })];
    case "run.completed":
    case "run.canceled":
    case "run.changed":
      return [ofRun(change.runId, { type: change.type })];
    case "run.expired": {
      const { runId, error, dlqId } = change;
      return [ofRun(runId, { type: change.type, error }), added(dlqId, runId)];
    }
    case "step.recorded": {
      const { type, runId, step: stepName, stepType } = change;
      return [ofRun(runId, { type, stepName, stepType })];
    }
    case "step.failed": {
      const { type, runId, step: stepName, stepType, attempt, error, wait } = change;
      return [ofRun(runId, { type, stepName, stepType, attempt, error, wait })];
    }
    case "step.waiting": {
      const { type, runId, step: stepName, stepType, eventId, until } = change;
      return [ofRun(runId, { type, stepName, stepType, eventId, until })];
    }
    case "rolledBack": {
      const { stepName, stepType, state, error } = change.record;
      const thrown = error === undefined ? {} : { error: error.message };
      return [ofRun(change.runId, { type: "step.rolledBack", stepName, stepType, state, ...thrown })];
    }
    case "failure.reported":
      return [
        ofRun(change.runId, { type: change.type, messageId: change.messageId, outcome: change.outcome }),
      ];
    case "failure.canceled":
      return [ofRun(change.runId, { type: change.type, messageId: change.messageId })];
    case "delivering":
      return [ofMessage(change, {})];
    case "delivered":
    case "called":
      return [ofMessage(change, { status: change.status })];
    case "retrying":
      return [ofMessage(change, { status: change.status, error: change.error, wait: change.wait })];
    case "failed": {
      const { runId, error, status, dlqId, runMs } = change;
      const ofTheRun = runMs === undefined ? [] : [ofRun(runId, { type: "run.failed", error })];
      return [ofMessage(change, { status, error, dlqId }), ...ofTheRun, added(dlqId, runId)];
    }
    case "object.changed": {
      const type = change.of === "dlq" ? "dlq.removed" : "changed";
      return [{ event: change.of, data: { type, [KEYS[change.of]]: change.key } }];
    }
    case "shortage":
    case "fault":
      return [];
    default:
      return change satisfies never;
  }
}

function ofRun(runId: string | undefined, data: StreamEvent["data"]): StreamEvent {
  return { event: "run", runId, data: { ...data, workflowRunId: runId } };
}

interface OfMessage {
  readonly type: string;
  readonly messageId: string;
  readonly kind: string;
  readonly url: string;
  readonly runId: string | undefined;
  readonly attempt: number;
}

function ofMessage(
  { type, messageId, kind, url, runId, attempt }: OfMessage,
  more: Readonly<Record<string, unknown>>,
): StreamEvent {
  return {
    event: "message",
    runId,
    data: { type, messageId, kind, url, workflowRunId: runId, attempt, ...more },
  };
}

function added(dlqId: string, runId: string | undefined): StreamEvent {
  return { event: "dlq", runId, data: { type: "dlq.added", dlqId, workflowRunId: runId } };
}
