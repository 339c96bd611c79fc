import { isPlan } from "@perdure/core/protocol";
import type { IntakeRequest } from "../domain/draft.ts";
import type { Intake } from "../domain/intake.ts";
import type { Receipt, RecordedStep } from "../store/store.ts";
import type { Input, None, Shown } from "./route.ts";
import type { Service } from "./service.ts";
import type { published } from "./shapes.ts";

/** A request to publish, to a destination that its path names. */
export function toIntakeRequest(
  destination: string,
  { headers, body, callerIp, now }: Input<None, None, Uint8Array>,
): IntakeRequest {
  return { destination, headers, body, callerIp, now };
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
export function toAnswer({ messageId, url, deduplicated, run }: Receipt): Shown<typeof published> {
  return {
    messageId,
    url,
    ...(deduplicated ? { deduplicated } : {}),
    ...(run ? { workflowRunId: run.id, workflowCreatedAt: run.createdAt } : {}),
  };
}
