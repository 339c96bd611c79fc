import { isPlan, PREFIX } from "@perdure/core/protocol";
import type { Context } from "hono";
import { rawDestination } from "../domain/destination.ts";
import type { IntakeRequest } from "../domain/draft.ts";
import type { Intake } from "../domain/intake.ts";
import { invalid } from "../domain/problem.ts";
import type { Receipt, RecordedStep } from "../store/store.ts";
import { readBody } from "./body.ts";
import type { Env, Service } from "./service.ts";

/** In-process callers have no address. */
const LOCAL = "127.0.0.1";
const OWN = PREFIX.own.toLowerCase();

/** A request whose destination is in its path. */
export async function readSubmission(
  c: Context<Env>,
  prefix: string,
  service: Service,
): Promise<IntakeRequest> {
  return {
    destination: rawDestination(c.req.raw.url, prefix),
    headers: readHeaders(c),
    body: await readBody(c.req.raw, service.limits.requestBytes),
    callerIp: callerIpOf(c),
    now: service.clock.now(),
  };
}

export function callerIpOf(c: Context<Env>): string {
  return c.env?.callerIp ?? LOCAL;
}

/** Stores what was submitted, and tells those who watch. */
export async function submit(
  intakes: readonly Intake[],
  { store, emit, limits }: Service,
): Promise<Receipt[]> {
  const receipts = await store.accept(intakes, limits);
  intakes.forEach((intake, at) => {
    if (receipts[at]?.deduplicated) return;
    if (intake.kind === "start" && !intake.configures) {
      emit({ type: "run.started", runId: intake.run.id, url: intake.run.url });
    } else if (intake.kind === "append") {
      const { stepName, stepType } = intake.record;
      if (!isPlan(intake.record))
        emit({ type: "step.recorded", runId: intake.runId, step: stepName, stepType });
    }
  });
  return receipts;
}

/** Tells those who watch of steps that the engine has recorded by itself. */
export function announce(recorded: readonly RecordedStep[], { emit }: Service): void {
  for (const step of recorded) emit({ type: "step.recorded", ...step });
}

/** What a sender is told of a message. */
export function toAnswer({ messageId, url, deduplicated, run }: Receipt): object {
  return {
    messageId,
    url,
    ...(deduplicated ? { deduplicated } : {}),
    ...(run ? { workflowRunId: run.id, workflowCreatedAt: run.createdAt } : {}),
  };
}

/** Headers, and the options among the query's parameters: headers win. */
export function readHeaders(c: Context<Env>): Map<string, string> {
  const headers = new Map<string, string>();
  for (const [name, [value, second]] of Object.entries(c.req.queries()) as [string, string[]][]) {
    const lower = name.toLowerCase();
    if (!lower.startsWith(OWN) || value === undefined) continue;
    if (second !== undefined || headers.has(lower)) throw invalid(`parameter ${name}`, "it is given twice");
    headers.set(lower, value);
  }
  for (const [name, value] of c.req.raw.headers) headers.set(name, value);
  return headers;
}

/** A segment of a path. */
export function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // Not escaped by its sender: it stands for itself.
  }
}
