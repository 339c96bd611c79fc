/** A reason why a run doesn't go on at this moment. Times are milliseconds since 1970. */
export type WaitReason =
  /** A step waits for an event, or for a request to its webhook. */
  | {
      readonly kind: "event" | "webhook";
      readonly stepName: string;
      readonly eventId: string;
      readonly until: number;
    }
  | { readonly kind: "sleep"; readonly stepName: string; readonly until: number }
  /** A step has invoked a run that hasn't ended. */
  | {
      readonly kind: "child";
      readonly stepName: string;
      readonly workflowRunId: string;
      readonly workflowRunCreatedAt: number;
    }
  /** A step waits for the answer of a third party. */
  | {
      readonly kind: "call";
      readonly stepName: string;
      readonly url: string;
      readonly attempt: number;
      readonly attempts: number;
      readonly at?: number;
    }
  /** An attempt has failed, and the next one begins at a time. */
  | {
      readonly kind: "retry";
      readonly stepName?: string;
      readonly attempt: number;
      readonly attempts?: number;
      readonly at: number;
    }
  /** The next delivery begins at a time. */
  | { readonly kind: "delivery"; readonly stepName?: string; readonly at: number }
  /** The endpoint is at work. Without its answer, the engine repeats the delivery at `at`. */
  | { readonly kind: "delivering"; readonly stepName?: string; readonly at: number }
  | {
      readonly kind: "flowControl";
      readonly key: string;
      readonly reason: "paused" | "parallelism" | "rate";
      readonly active?: number;
      readonly limit?: number;
      readonly waiting: number;
      readonly at?: number;
    }
  | {
      readonly kind: "queue";
      readonly queue: string;
      readonly reason: "paused" | "turn";
      readonly ahead: number;
    }
  /** The engine's limit for one destination. */
  | { readonly kind: "destination"; readonly host: string }
  /** The run has ended, and its failure function, cancel function or rollbacks haven't. */
  | { readonly kind: "failureFunction" | "cancelFunction" | "rollback"; readonly at?: number };

/** Says in one sentence what a run waits for. */
export function describeWait(reason: WaitReason): string {
  switch (reason.kind) {
    case "event":
      return `step ${quote(reason.stepName)} waits for event ${quote(reason.eventId)} until ${iso(reason.until)}`;
    case "webhook":
      return `step ${quote(reason.stepName)} waits for a request to webhook ${quote(reason.eventId)} until ${iso(reason.until)}`;
    case "sleep":
      return `step ${quote(reason.stepName)} sleeps until ${iso(reason.until)}`;
    case "child":
      return `step ${quote(reason.stepName)} waits for the end of run ${reason.workflowRunId}`;
    case "call": {
      const { stepName, url, attempt, attempts, at } = reason;
      const call = `step ${quote(stepName)} calls ${url}: attempt ${attempt} of ${attempts}`;
      return at === undefined ? `${call} is in progress` : `${call} begins at ${iso(at)}`;
    }
    case "retry":
      return `${attemptOf(reason)} begins at ${iso(reason.at)}`;
    case "delivery":
      return `the next delivery${ofStep(reason.stepName)} is due at ${iso(reason.at)}`;
    case "delivering":
      return `the endpoint is at work${ofStep(reason.stepName)}; the engine waits for its answer`;
    case "flowControl":
      return describeFlow(reason);
    case "queue":
      return reason.reason === "paused"
        ? `queue ${quote(reason.queue)} is paused`
        : `queue ${quote(reason.queue)} delivers ${count(reason.ahead, "message")} first`;
    case "destination":
      return `${reason.host} has as many deliveries in progress as the engine allows for one destination`;
    case "failureFunction":
      return `the failure function is called${atTime(reason.at)}`;
    case "cancelFunction":
      return `the cancel function is called${atTime(reason.at)}`;
    case "rollback":
      return `steps are rolled back${atTime(reason.at)}`;
    default:
      return reason satisfies never;
  }
}

type Of<Kind extends WaitReason["kind"]> = Extract<WaitReason, { readonly kind: Kind }>;

function describeFlow({ key, reason, active, limit, at }: Of<"flowControl">): string {
  switch (reason) {
    case "paused":
      return `flow control key ${quote(key)} is paused`;
    case "parallelism":
      return `flow control key ${quote(key)} has ${active ?? 0} of ${limit ?? 0} deliveries in progress`;
    case "rate":
      return `flow control key ${quote(key)} has begun ${active ?? 0} of ${limit ?? 0} deliveries of its period${at === undefined ? "" : `, which ends at ${iso(at)}`}`;
    default:
      return reason satisfies never;
  }
}

function attemptOf({ stepName, attempt, attempts }: Of<"retry">): string {
  return `attempt ${attempt}${attempts === undefined ? "" : ` of ${attempts}`}${ofStep(stepName)}`;
}

function ofStep(stepName: string | undefined): string {
  return stepName === undefined ? "" : ` of step ${quote(stepName)}`;
}

function atTime(at: number | undefined): string {
  return at === undefined ? " now" : ` at ${iso(at)}`;
}

function count(number: number, of: string): string {
  return `${number} ${of}${number === 1 ? "" : "s"}`;
}

function quote(text: string): string {
  return JSON.stringify(text);
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
