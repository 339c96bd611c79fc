import colors from "picocolors";
import type { LogLevel } from "../config.ts";
import type { AttemptInfo, EngineEvent } from "../domain/event.ts";

/** One line for what happened; nothing when the level doesn't want it. */
export function describe(event: EngineEvent, level: LogLevel): string | undefined {
  if (level === "silent") return undefined;
  if (event.type === "fault")
    return `${colors.red("✗")} while ${event.during}: ${reason(event.error, level)}`;
  if (level === "error") return undefined;
  if (event.type === "step.recorded") {
    return level === "debug"
      ? run(event.runId, colors.dim("·"), `recorded ${event.step} (${event.stepType})`)
      : undefined;
  }
  return line(event);
}

function line(event: Exclude<EngineEvent, { type: "fault" | "step.recorded" }>): string {
  switch (event.type) {
    case "run.started":
      return run(event.runId, colors.cyan("▶"), `started ${colors.dim(event.url)}`);
    case "run.completed":
      return run(event.runId, colors.green("■"), `completed in ${duration(event.ms)}`);
    case "run.canceled":
      return run(event.runId, colors.yellow("■"), "canceled");
    case "delivered":
      return run(subject(event), colors.green("✓"), `${what(event)} ${facts(event)}`);
    case "retrying":
      return run(
        subject(event),
        colors.yellow("↻"),
        `${what(event)}${at(event.failedStep)} ${facts(event)}: ${event.error}; again in ${duration(event.wait)}`,
      );
    case "failed":
      return run(
        subject(event),
        colors.red("✗"),
        `${event.runId === undefined ? "failed" : "run failed"} ${what(event)}${at(event.failedStep)} ${facts(event)}: ${event.error} ${colors.dim(`dead letter ${event.dlqId}`)}`,
      );
    case "failure.reported":
      return run(subject(event), mark(event.outcome), `failure function ${outcome(event)}`);
  }
}

function run(id: string, mark: string, text: string): string {
  return `${mark} ${colors.bold(id)} ${text}`;
}

function subject({ runId, messageId }: AttemptInfo): string {
  return runId ?? messageId;
}

function what({ step, url, purpose }: AttemptInfo): string {
  if (purpose === "failure") return "failure function";
  return step === undefined ? url : `after ${colors.cyan(step)}`;
}

function at(step: string | undefined): string {
  return step === undefined ? "" : ` at ${colors.cyan(step)}`;
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
