import type { RollbackRecord } from "@perdure/core/protocol";
import type { MessageKind } from "./message.ts";

/** A message that is being delivered, for those who watch. */
export interface DeliveryInfo {
  readonly messageId: string;
  readonly kind: MessageKind;
  readonly url: string;
  readonly runId: string | undefined;
  /** The entry of the run's history that was delivered: `init`, or a step's name. For a call and its answer, the step that it is. */
  readonly step: string | undefined;
  /** That entry is the plan of a step: this delivery is to carry it out. */
  readonly planned: boolean;
  /** 1 for the first. */
  readonly attempt: number;
}

/** One attempt to deliver. */
export interface AttemptInfo extends DeliveryInfo {
  /** 0 when there was no answer. */
  readonly status: number;
  /** How long it took. */
  readonly ms: number;
}

/** An event in an engine, sent after it is stored. Times and waits are in milliseconds. */
export type EngineEvent =
  | {
      readonly type: "run.started";
      readonly runId: string;
      readonly url: string;
      /** The beginning of what the run was started with. */
      readonly payload?: string | undefined;
    }
  | {
      readonly type: "step.recorded";
      readonly runId: string;
      readonly step: string;
      readonly stepType: string;
      /** The run's wait was over before what it waited for came. */
      readonly timedOut?: boolean | undefined;
      /** The beginning of the step's result, as JSON. */
      readonly result?: string | undefined;
      /** When the step's work began, in milliseconds since 1970, by its endpoint's clock. Only of a step that ran inline. */
      readonly startedAt?: number | undefined;
      /** How long the step's work took. Only of a step that ran inline. */
      readonly durationMs?: number | undefined;
    }
  /** An attempt of a step that ran inline has failed. */
  | {
      readonly type: "step.failed";
      readonly runId: string;
      readonly step: string;
      readonly stepType: string;
      /** 1 for the first. */
      readonly attempt: number;
      readonly error: string;
      /** Until the next attempt; absent when no other one follows. */
      readonly wait?: number | undefined;
    }
  /** A run rests, or waits for an event or a webhook. */
  | {
      readonly type: "step.waiting";
      readonly runId: string;
      readonly step: string;
      readonly stepType: string;
      /** The event id that it waits for. */
      readonly eventId?: string | undefined;
      /** When that ends at the latest, in milliseconds since 1970. */
      readonly until: number;
    }
  | ({
      readonly type: "delivering";
      /** How late a first attempt is; of a later one it isn't known. */
      readonly lag?: number | undefined;
    } & DeliveryInfo)
  | ({ readonly type: "delivered" } & AttemptInfo)
  /** A third party has answered a call, or will not any more: either way the run goes on. */
  | ({ readonly type: "called" } & AttemptInfo)
  | ({
      readonly type: "retrying";
      readonly error: string;
      readonly wait: number;
      /** The step that failed, where the endpoint named it. */
      readonly failedStep: string | undefined;
    } & AttemptInfo)
  /** No more attempts: the message is in the dead letter queue. */
  | ({
      readonly type: "failed";
      readonly error: string;
      readonly dlqId: string;
      readonly failedStep: string | undefined;
    } & AttemptInfo)
  /** A run has lived for longer than it may. */
  | { readonly type: "run.expired"; readonly runId: string; readonly error: string; readonly dlqId: string }
  /** A step of a run that has ended was rolled back, or can't be. */
  | ({ readonly type: "rolledBack"; readonly record: RollbackRecord } & AttemptInfo)
  /** How the report of a run's end, or of a message's failure, ended: `kind` says which. */
  | ({
      readonly type: "failure.reported";
      readonly outcome: "handled" | "unhandled" | "failed";
      /** The failure function's result, or its error. */
      readonly response: string;
    } & AttemptInfo)
  /** The report of a run's end was cancelled: the engine makes no more attempts to deliver it. */
  | {
      readonly type: "failure.canceled";
      readonly runId: string;
      readonly messageId: string;
      readonly kind: MessageKind;
    }
  | {
      readonly type: "run.completed";
      readonly runId: string;
      readonly ms: number;
      /** The beginning of the run's result. */
      readonly result?: string | undefined;
    }
  | { readonly type: "run.canceled"; readonly runId: string }
  /** A failed run was taken up again under this id. */
  | { readonly type: "run.resumed"; readonly runId: string; readonly url: string }
  /** This machine lacks file descriptors, ports or memory (`code`): for `wait` milliseconds no delivery begins. */
  | { readonly type: "shortage"; readonly code: string; readonly wait: number }
  /** Something that should not happen: the disk is full, an observer threw. */
  | { readonly type: "fault"; readonly during: string; readonly error: unknown };

export type Observer = (event: EngineEvent) => void;

const EXCERPT = 500;

/** The beginning of a body, for those who watch. */
export function excerptOf(body: string | Uint8Array | undefined): string | undefined {
  if (body === undefined || body.length === 0) return undefined;
  // A character has at most four bytes.
  const text = typeof body === "string" ? body : new TextDecoder().decode(body.subarray(0, 4 * EXCERPT + 4));
  return text.length > EXCERPT ? `${text.slice(0, EXCERPT)}…` : text;
}
