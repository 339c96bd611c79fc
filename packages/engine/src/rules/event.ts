import type { RollbackRecord, StepType } from "@perdure/core/protocol";
import type { MessageKind } from "./message.ts";

/** A message in progress, as observers see it. */
export interface DeliveryInfo {
  readonly messageId: string;
  readonly kind: MessageKind;
  readonly url: string;
  readonly runId: string | undefined;
  /**
   * The entry of the run's history that was delivered: `init`, or a step's name. For a call and its answer,
   * the call's step.
   */
  readonly step: string | undefined;
  /** True when that entry is a step's plan, which this delivery carries out. */
  readonly planned: boolean;
  /** The attempt's number: 1 for the first. */
  readonly attempt: number;
}

/** One attempt to deliver. */
export interface AttemptInfo extends DeliveryInfo {
  /** 0 when there was no answer. */
  readonly status: number;
  /** The duration of the attempt. */
  readonly ms: number;
}

/** A sleep that the first attempt of a delivery ends. Times in milliseconds since 1970. */
export interface EndedSleep {
  /** Absent for the delay of a run's start. */
  readonly stepType?: StepType;
  readonly since: number;
  readonly until: number;
}

/** The wait of a delivery that was due for its queue, its flow control key, or room at its destination. */
export interface EndedHold {
  readonly queue: string | undefined;
  readonly flowKey: string | undefined;
  /** The time when the attempt was due, in milliseconds since 1970. */
  readonly since: number;
}

/** An event in an engine, sent after it is stored. Times and waits are in milliseconds. */
export type EngineEvent =
  | {
      readonly type: "run.started";
      readonly runId: string;
      readonly url: string;
      /** The beginning of the run's payload. */
      readonly payload?: string | undefined;
    }
  | {
      readonly type: "step.recorded";
      readonly runId: string;
      readonly step: string;
      readonly stepType: string;
      /** True when the wait timed out before its event came. */
      readonly timedOut?: boolean | undefined;
      /** The beginning of the step's result, as JSON. */
      readonly result?: string | undefined;
      /**
       * The time when the wait for the result began, in milliseconds since 1970: of a sleep, of a wait for an event or a
       * webhook, of an invoked run. A sleep of a run with one step in each delivery ends when that is `delivering`, and a
       * call when it is `called`.
       */
      readonly waitingSince?: number | undefined;
      /** Identifies the step's record within its run. Only beside `waitingSince`. */
      readonly recordKey?: string | undefined;
      /**
       * The time when the step's work began, in milliseconds since 1970, by its endpoint's clock. Only for a
       * step that ran inline.
       */
      readonly startedAt?: number | undefined;
      /** The duration of the step's work. Only for a step that ran inline. */
      readonly durationMs?: number | undefined;
    }
  /** An attempt of a step that ran inline has failed. */
  | {
      readonly type: "step.failed";
      readonly runId: string;
      readonly step: string;
      readonly stepType: string;
      /** The attempt's number: 1 for the first. */
      readonly attempt: number;
      readonly error: string;
      /** The wait until the next attempt; absent when no attempt follows. */
      readonly wait?: number | undefined;
    }
  /** A run sleeps, or waits for an event or a webhook. */
  | {
      readonly type: "step.waiting";
      readonly runId: string;
      readonly step: string;
      readonly stepType: string;
      /** The event id that it waits for. */
      readonly eventId?: string | undefined;
      /** The time when the sleep ends, or the wait times out, in milliseconds since 1970. */
      readonly until: number;
    }
  | ({
      readonly type: "delivering";
      /** The delay of a first attempt behind its due time; absent for a later attempt. */
      readonly lag?: number | undefined;
      readonly slept?: EndedSleep | undefined;
      readonly held?: EndedHold | undefined;
    } & DeliveryInfo)
  | ({ readonly type: "delivered" } & AttemptInfo)
  /** A call has ended, with an answer or with its last failure. Either way the run goes on. */
  | ({
      readonly type: "called";
      /** The time when the call was asked for, in milliseconds since 1970. */
      readonly waitingSince: number;
    } & AttemptInfo)
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
      /** The duration of the run that fails with the message; absent for a message of no run. */
      readonly runMs?: number | undefined;
    } & AttemptInfo)
  /** A run has exceeded its time limit. */
  | {
      readonly type: "run.expired";
      readonly runId: string;
      readonly ms: number;
      readonly error: string;
      readonly dlqId: string;
    }
  /** The rollback of a step of an ended run has succeeded or failed. */
  | ({ readonly type: "rolledBack"; readonly record: RollbackRecord } & AttemptInfo)
  /** The report of a run's end, or of a message's failure, has ended: `kind` says which. */
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
  | { readonly type: "run.canceled"; readonly runId: string; readonly ms: number }
  /** A failed run goes on as a new run with this id. */
  | { readonly type: "run.resumed"; readonly runId: string; readonly url: string }
  /**
   * This machine lacks file descriptors, ports or memory (`code`): for `wait` milliseconds no delivery
   * begins.
   */
  | { readonly type: "shortage"; readonly code: string; readonly wait: number }
  /** Something that should not happen: the disk is full, an observer threw. */
  | { readonly type: "fault"; readonly during: string; readonly error: unknown };

export type Observer = (event: EngineEvent) => void;

const EXCERPT = 500;

/** The beginning of a body, for observers. */
export function excerptOf(body: string | Uint8Array | undefined): string | undefined {
  if (body === undefined || body.length === 0) return undefined;
  // A character has at most four bytes.
  const text = typeof body === "string" ? body : new TextDecoder().decode(body.subarray(0, 4 * EXCERPT + 4));
  return text.length > EXCERPT ? `${text.slice(0, EXCERPT)}…` : text;
}
