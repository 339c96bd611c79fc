import type { RollbackRecord } from "@perdure/core/protocol";
import colors from "picocolors";
import type { LogLevel } from "../config.ts";
import type { AttemptInfo, DeliveryInfo, EngineEvent } from "../domain/event.ts";

type Told = Exclude<EngineEvent, { type: "fault" | "delivering" | "step.recorded" }>;

interface Delivery {
  readonly info: DeliveryInfo;
  /** Milliseconds since 1970. */
  readonly began: number;
}

/** Says what happens, a line for each thing. It remembers what is being delivered: by that, a step is carried out. */
export class Narrator {
  readonly #level: LogLevel;
  readonly #now: () => number;
  /** By run and message. */
  readonly #deliveries = new Map<string, Map<string, Delivery>>();

  constructor(level: LogLevel, now: () => number = Date.now) {
    this.#level = level;
    this.#now = now;
  }

  /** One line for what happened; nothing when the level doesn't want it. */
  tell(event: EngineEvent): string | undefined {
    const line = this.#line(event);
    this.#forget(event);
    return this.#level === "silent" ? undefined : line;
  }

  #line(event: EngineEvent): string | undefined {
    if (event.type === "fault") {
      return `${colors.red("✗")} while ${event.during}: ${reason(event.error, this.#level)}`;
    }
    if (this.#level === "error" || this.#level === "silent") return undefined;
    if (event.type === "delivering") return this.#remember(event);
    if (event.type === "step.recorded") return this.#recorded(event);
    // What a delivery to a workflow has brought about is told by the steps that it recorded.
    if (event.type === "delivered" && event.runId !== undefined && this.#level !== "debug") return undefined;
    return line(event);
  }

  #remember(info: DeliveryInfo): undefined {
    if (info.runId === undefined) return;
    const ofRun = this.#deliveries.get(info.runId) ?? new Map<string, Delivery>();
    ofRun.set(info.messageId, { info, began: this.#now() });
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

  #recorded({ runId, step, stepType }: Extract<EngineEvent, { type: "step.recorded" }>): string {
    const by = this.#deliveryOf(runId, step, stepType);
    const detail = by
      ? ` ${colors.dim(`attempt ${by.info.attempt}, ${duration(this.#now() - by.began)}`)}`
      : "";
    return run(runId, colors.green("✓"), `${colors.cyan(step)} ${colors.dim(`(${stepType})`)}${detail}`);
  }

  /** The delivery in which a step was carried out: of its plan where it has one, else the latest. */
  #deliveryOf(runId: string, step: string, stepType: string): Delivery | undefined {
    // The engine records these by itself, when what they waited for has come.
    if (["Wait", "WaitForWebhook", "Invoke"].includes(stepType)) return undefined;
    const all = [...(this.#deliveries.get(runId)?.values() ?? [])];
    return (
      all.find(({ info }) => info.step === step && (info.planned || info.purpose === "answer")) ??
      all.findLast(({ info }) => !info.planned)
    );
  }
}

function line(event: Told): string {
  switch (event.type) {
    case "run.started":
      return run(event.runId, colors.cyan("▶"), `started ${colors.dim(event.url)}`);
    case "run.revived":
      return run(event.runId, colors.cyan("▶"), `takes up a failed run ${colors.dim(event.url)}`);
    case "run.completed":
      return run(event.runId, colors.green("■"), `completed in ${duration(event.ms)}`);
    case "run.canceled":
      return run(event.runId, colors.yellow("■"), "canceled");
    case "delivered":
      return run(subject(event), colors.green("✓"), `${what(event)} ${facts(event)}`);
    case "called":
      return run(subject(event), colors.cyan("→"), `${what(event)} ${colors.dim(event.url)} ${facts(event)}`);
    case "retrying":
      return run(
        subject(event),
        colors.yellow("↻"),
        `${what(event, event.failedStep)} ${facts(event)}: ${event.error}; again in ${duration(event.wait)}`,
      );
    case "failed":
      return run(
        subject(event),
        colors.red("✗"),
        `${event.runId === undefined ? "failed" : "run failed"} ${failedAt(event)} ${facts(event)}: ${event.error} ${colors.dim(`dead letter ${event.dlqId}`)}`,
      );
    case "failure.reported":
      return run(subject(event), mark(event.outcome), `${what(event)} ${outcome(event)}`);
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

function run(id: string, mark: string, text: string): string {
  return `${mark} ${colors.bold(id)} ${text}`;
}

function subject({ runId, messageId }: AttemptInfo): string {
  return runId ?? messageId;
}

/** What is at work: the step, where it is known which; else what it comes after. */
function what(info: AttemptInfo, failedStep?: string): string {
  const { step, url, purpose, planned } = info;
  if (purpose === "failure") return "failure function";
  if (purpose === "rollback") return "rollbacks";
  if (purpose === "cancel") return "cancel function";
  if (failedStep !== undefined) return colors.cyan(failedStep);
  if (step === undefined) return url;
  if (purpose === "call") return `call ${colors.cyan(step)}`;
  if (purpose === "answer") return `answer to ${colors.cyan(step)}`;
  return planned ? colors.cyan(step) : `after ${colors.cyan(step)}`;
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

function facts({ attempt, status, ms }: AttemptInfo): string {
  return colors.dim(`attempt ${attempt}, ${status === 0 ? "no answer" : status}, ${duration(ms)}`);
}

function mark(outcome: "handled" | "unhandled" | "failed"): string {
  if (outcome === "handled") return colors.green("✚");
  return outcome === "unhandled" ? colors.yellow("✚") : colors.red("✚");
}

function outcome(event: Extract<EngineEvent, { type: "failure.reported" }>): string {
  switch (event.outcome) {
    case "handled":
      return `ran ${facts(event)}: ${event.response}`;
    case "unhandled":
      return "is missing: nothing ran";
    case "failed":
      return `failed ${facts(event)}: ${event.response}`;
  }
}

function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Number((ms / 1000).toFixed(1))} s`;
  if (ms < 7_200_000) return `${Number((ms / 60_000).toFixed(1))} min`;
  return `${Number((ms / 3_600_000).toFixed(1))} h`;
}

function reason(error: unknown, level: LogLevel): string {
  if (!(error instanceof Error)) return String(error);
  return level === "debug" ? (error.stack ?? error.message) : error.message;
}
