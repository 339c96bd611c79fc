import type { RollbackRecord } from "@perdure/core/protocol";
import colors from "picocolors";
import type { AttemptInfo, DeliveryInfo, EngineEvent } from "../rules/event.ts";
import type { MessageKind } from "../rules/message.ts";
import { kindOf } from "../rules/step-kinds.ts";
import { cutTo, printable, printableIn } from "./terminal.ts";
import type { LogLevel } from "./values.ts";

type ReportedEvent = Exclude<EngineEvent, { type: "fault" | "delivering" | "step.recorded" }>;

/** The number of runs whose paths the reporter remembers. */
const MAX_REMEMBERED_RUNS = 10_000;

/** A name may take one part in this many of a terminal's columns: the line needs the rest for the event. */
const NAME_SHARE = 4;

interface Delivery {
  readonly info: DeliveryInfo;
  /** Milliseconds since 1970. */
  readonly began: number;
}

/**
 * Formats each event as a line. It remembers the deliveries in progress, to show which delivery ran a step.
 */
export class ConsoleReporter {
  readonly #level: LogLevel;
  readonly #now: () => number;
  /** The time of the current event, in milliseconds since 1970. */
  #at = 0;
  readonly #columns: () => number | undefined;
  /** Deliveries in progress, by run and message. */
  readonly #deliveries = new Map<string, Map<string, Delivery>>();
  /** The path of each run's URL. */
  readonly #paths = new Map<string, string>();

  /** @param columns of the terminal; undefined without a terminal: the reporter then cuts no lines */
  constructor(
    level: LogLevel,
    now: () => number = Date.now,
    columns: () => number | undefined = () => undefined,
  ) {
    this.#level = level;
    this.#now = now;
    this.#columns = columns;
  }

  /**
   * Formats an event as one line, with a second line for a payload or result at level `debug`.
   *
   * @returns undefined when the level leaves the event out
   */
  report(raw: EngineEvent): string | undefined {
    this.#at = this.#now();
    const event = printableIn(raw);
    this.#locate(event);
    const columns = this.#columns();
    const line = this.#line(event, columns ? Math.floor(columns / NAME_SHARE) : Number.POSITIVE_INFINITY);
    this.#forget(event);
    if (this.#level === "silent" || line === undefined) return undefined;
    const body = this.#level === "debug" ? bodyOf(event) : undefined;
    const lines = [`${colors.dim(timeOf(this.#at))} ${this.#withPath(event, line)}`];
    if (body !== undefined) lines.push(`         ${colors.dim(body)}`);
    return lines.map((one) => (columns ? cutTo(columns, one) : one)).join("\n");
  }

  #locate(event: EngineEvent): void {
    if (!("runId" in event && event.runId !== undefined && "url" in event)) return;
    if ("kind" in event && event.kind !== "step") return;
    if (this.#paths.has(event.runId) || !URL.canParse(event.url)) return;
    const [oldest] = this.#paths.keys();
    if (oldest !== undefined && this.#paths.size >= MAX_REMEMBERED_RUNS) this.#paths.delete(oldest);
    this.#paths.set(event.runId, printable(new URL(event.url).pathname));
  }

  /** Adds the workflow's path after the run's id. */
  #withPath(event: EngineEvent, line: string): string {
    const runId = "runId" in event ? event.runId : undefined;
    const path = runId === undefined ? undefined : this.#paths.get(runId);
    if (runId === undefined || path === undefined) return line;
    const id = colors.bold(runId);
    return line.replace(id, () => `${id} ${colors.dim(path)}`);
  }

  /** @param most the columns that a step's name may take */
  #line(event: EngineEvent, most: number): string | undefined {
    if (event.type === "fault") {
      return `${colors.red("✗")} while ${event.during}: ${reason(event.error, this.#level)}`;
    }
    if (this.#level === "error" || this.#level === "silent") return undefined;
    if (event.type === "delivering") return this.#remember(event);
    if (event.type === "step.recorded") return this.#recorded(event, cutTo(most, event.step));
    // The lines of the recorded steps already show the effect of a delivery to a workflow.
    if (event.type === "delivered" && event.runId !== undefined && this.#level !== "debug") return undefined;
    return line(withShortNames(event, most));
  }

  #remember(info: DeliveryInfo): undefined {
    if (info.runId === undefined) return;
    const ofRun = this.#deliveries.get(info.runId) ?? new Map<string, Delivery>();
    ofRun.set(info.messageId, { info, began: this.#at });
    this.#deliveries.set(info.runId, ofRun);
  }

  #forget(event: EngineEvent): void {
    if (event.type === "run.completed" || event.type === "run.canceled") {
      this.#deliveries.delete(event.runId);
    } else if (event.type !== "delivering" && "messageId" in event && event.runId !== undefined) {
      const ofRun = this.#deliveries.get(event.runId);
      ofRun?.delete(event.messageId);
      if (ofRun?.size === 0 || event.type === "failed") this.#deliveries.delete(event.runId);
    }
  }

  #recorded(event: Extract<EngineEvent, { type: "step.recorded" }>, name: string): string | undefined {
    const { runId, step, stepType, timedOut } = event;
    // The endpoint records a sleep outside a group when it begins, and the beginning already has a line.
    if (kindOf(stepType).effect === "sleep" && !this.#isPlanned(runId, step)) return undefined;
    const { awaits } = kindOf(stepType);
    if (awaits) {
      const received = awaits === "event" ? "received its event" : "received a request to its webhook";
      const end = timedOut ? "timed out: nothing came in time" : received;
      return run(runId, timedOut ? colors.yellow("✓") : colors.green("✓"), `${colors.cyan(name)} ${end}`);
    }
    const work = this.#workOf(event);
    const detail = work === undefined ? "" : ` ${colors.dim(work)}`;
    return run(runId, colors.green("✓"), `${colors.cyan(name)} ${colors.dim(`(${stepType})`)}${detail}`);
  }

  /** How long a step took, and when it began if it ran inline: several of these are on record at once. */
  #workOf(event: Extract<EngineEvent, { type: "step.recorded" }>): string | undefined {
    const { runId, step, stepType, startedAt, durationMs } = event;
    if (durationMs !== undefined) {
      const begin = startedAt === undefined ? "" : ` from ${preciseTimeOf(startedAt)}`;
      return `${duration(durationMs)}${begin}`;
    }
    const by = this.#deliveryOf(runId, step, stepType);
    return by && `attempt ${by.info.attempt}, ${duration(this.#at - by.began)}`;
  }

  #isPlanned(runId: string, step: string): boolean {
    const all = this.#deliveries.get(runId)?.values() ?? [];
    return [...all].some(({ info }) => info.planned && info.step === step);
  }

  /** Finds the delivery that ran a step: the delivery of its plan, else the latest delivery. */
  #deliveryOf(runId: string, step: string, stepType: string): Delivery | undefined {
    // The engine did the step, without a delivery.
    if (kindOf(stepType).recordedBy === "engine") return undefined;
    const all = [...(this.#deliveries.get(runId)?.values() ?? [])];
    return (
      all.find(({ info }) => info.step === step && (info.planned || info.kind === "answer")) ??
      all.findLast(({ info }) => !info.planned)
    );
  }
}

/** Shortens the names in an event, so that the line has room for the event itself. */
function withShortNames<Event extends ReportedEvent>(event: Event, most: number): Event {
  const short = (name: string | undefined) => (name === undefined ? undefined : cutTo(most, name));
  return {
    ...event,
    ...("step" in event ? { step: short(event.step) } : {}),
    ...("failedStep" in event ? { failedStep: short(event.failedStep) } : {}),
    ...("eventId" in event ? { eventId: short(event.eventId) } : {}),
    ...("record" in event
      ? { record: { ...event.record, stepName: cutTo(most, event.record.stepName) } }
      : {}),
  };
}

function line(event: ReportedEvent): string {
  switch (event.type) {
    case "run.started":
      return run(event.runId, colors.cyan("▶"), `started ${colors.dim(event.url)}`);
    case "step.waiting":
      return run(event.runId, colors.cyan("…"), `${colors.cyan(event.step)} ${waiting(event)}`);
    case "step.failed":
      return run(event.runId, colors.yellow("↻"), `${colors.cyan(event.step)} ${attemptFacts(event)}`);
    case "run.resumed":
      return run(event.runId, colors.cyan("▶"), `takes up a failed run ${colors.dim(event.url)}`);
    case "run.completed":
      return run(event.runId, colors.green("■"), `completed in ${duration(event.ms)}`);
    case "run.canceled":
      return run(event.runId, colors.yellow("■"), "cancelled");
    case "delivered":
      return run(subject(event), colors.green("✓"), `${what(event)} ${facts(event)}`);
    case "called":
      return run(subject(event), colors.cyan("→"), `${what(event)} ${colors.dim(event.url)} ${facts(event)}`);
    case "retrying":
      return run(
        subject(event),
        colors.yellow("↻"),
        `${what(event, event.failedStep)} again in ${duration(event.wait)}: ${event.error}${hint(event)} ${bracketed(event)}`,
      );
    case "failed":
      return run(
        subject(event),
        colors.red("✗"),
        `${event.runId === undefined ? "failed" : "run failed"} ${failedAt(event)}: ${event.error}${hint(event)} ${bracketed(event)} ${colors.dim(`dead letter ${event.dlqId}`)}`,
      );
    case "failure.reported":
      return run(subject(event), mark(event.outcome), `${what(event)} ${outcome(event)}`);
    case "failure.canceled":
      return run(event.runId, colors.yellow("✚"), `${reportOf(event.kind)} cancelled`);
    case "run.expired":
      return run(
        event.runId,
        colors.red("✗"),
        `run failed: ${event.error} ${colors.dim(`dead letter ${event.dlqId}`)}`,
      );
    case "shortage":
      return `${colors.red("✗")} this machine is short of something (${event.code}): no delivery begins for ${duration(event.wait)}`;
    case "rolledBack":
      return run(subject(event), colors.yellow("↶"), `${rollback(event.record)} ${facts(event)}`);
  }
}

function attemptFacts({ attempt, error, wait }: Extract<EngineEvent, { type: "step.failed" }>): string {
  const next = wait === undefined ? "no retry is left" : `again in ${duration(wait)}`;
  return `${colors.dim(`attempt ${attempt}`)}: ${error}; ${next}`;
}

function waiting({ stepType, eventId, until }: Extract<EngineEvent, { type: "step.waiting" }>): string {
  const end = `until ${momentOf(until)}`;
  const { effect, awaits } = kindOf(stepType);
  if (effect === "sleep") return `sleeps ${end}`;
  return `waits for ${awaits === "request" ? "a request to its webhook" : colors.cyan(eventId ?? "")}, ${end}`;
}

/** Points to the endpoint's console: an endpoint gives no reason to an unauthenticated caller. */
function hint({ status, kind }: AttemptInfo): string {
  return status === 401 && kind !== "call" && kind !== "message" ? ". The app's console says why" : "";
}

function bodyOf(event: EngineEvent): string | undefined {
  if (event.type === "run.started") return event.payload && `payload ${event.payload}`;
  if (event.type === "step.recorded" || event.type === "run.completed")
    return event.result && `result ${event.result}`;
  return undefined;
}

/** Formats the local time of day. */
function timeOf(ms: number): string {
  return new Date(ms).toTimeString().slice(0, 8);
}

/** Formats the local time of day with its milliseconds. */
function preciseTimeOf(ms: number): string {
  return `${timeOf(ms)}.${String(Math.floor(ms) % 1000).padStart(3, "0")}`;
}

/** Formats the local time of day, with the date unless it is today's. */
function momentOf(ms: number): string {
  const date = new Date(ms);
  const day = date.toDateString() === new Date().toDateString() ? "" : `${date.toLocaleDateString("sv")} `;
  return day + timeOf(ms);
}

function run(id: string, mark: string, text: string): string {
  return `${mark} ${colors.bold(id)} ${text}`;
}

function subject({ runId, messageId }: AttemptInfo): string {
  return runId ?? messageId;
}

/** Names the report of a run's end. */
function reportOf(kind: MessageKind): string | undefined {
  if (kind === "failure") return "failure function";
  if (kind === "rollback") return "rollbacks";
  return kind === "cancel" ? "cancel function" : undefined;
}

/** The name of the history's first entry, which holds the payload. */
const PAYLOAD_STEP = "init";

/** Names the running step; if it isn't known, the step before it. */
function what(info: AttemptInfo, failedStep?: string): string {
  const { step, url, kind, planned } = info;
  const report = reportOf(kind);
  if (report !== undefined) return report;
  if (failedStep !== undefined) return colors.cyan(failedStep);
  if (step === undefined) return url;
  if (kind === "call") return `call ${colors.cyan(step)}`;
  if (kind === "answer") return `answer to ${colors.cyan(step)}`;
  if (planned) return colors.cyan(step);
  return step === PAYLOAD_STEP ? "before its first step" : `after ${colors.cyan(step)}`;
}

function failedAt(event: Extract<EngineEvent, { type: "failed" }>): string {
  const { failedStep, planned } = event;
  const named = failedStep !== undefined || planned;
  return named ? `at ${what(event, failedStep)}` : what(event);
}

function rollback({ stepName, state, error }: RollbackRecord): string {
  const step = colors.cyan(stepName);
  return state === "done" ? `rolled back ${step}` : `couldn't roll back ${step}: ${error?.message ?? "?"}`;
}

function facts(info: AttemptInfo): string {
  return colors.dim(factsOf(info));
}

/** Formats the facts that follow the endpoint's message. */
function bracketed(info: AttemptInfo): string {
  return colors.dim(`(${factsOf(info)})`);
}

function factsOf({ attempt, status, ms }: AttemptInfo): string {
  return `attempt ${attempt}, ${status === 0 ? "no answer" : status}, ${duration(ms)}`;
}

function mark(outcome: "handled" | "unhandled" | "failed"): string {
  if (outcome === "handled") return colors.green("✚");
  return outcome === "unhandled" ? colors.yellow("✚") : colors.red("✚");
}

function outcome(event: Extract<EngineEvent, { type: "failure.reported" }>): string {
  switch (event.outcome) {
    case "handled":
      return `ran: ${event.response} ${bracketed(event)}`;
    case "unhandled":
      return "is missing: nothing ran";
    case "failed":
      return `failed: ${event.response} ${bracketed(event)}`;
  }
}

function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Number((ms / 1000).toFixed(1))} s`;
  if (ms < 7_200_000) return `${Number((ms / 60_000).toFixed(1))} min`;
  return `${Number((ms / 3_600_000).toFixed(1))} h`;
}

function reason(error: unknown, level: LogLevel): string {
  if (!(error instanceof Error)) return printable(String(error));
  if (level !== "debug") return printable(error.message);
  return (error.stack ?? error.message).split("\n").map(printable).join("\n    ");
}
