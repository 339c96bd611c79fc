import { type AttemptEntry, isKeyOf, keyOf, type StepRecord, stepOfKey } from "@perdure/core/protocol";
import { toText } from "../rules/bytes.ts";
import { isLive, type Run } from "../rules/run.ts";
import { stepIdentity, stepKeyOf } from "../rules/step-attempt.ts";
import { kindOf } from "../rules/step-kinds.ts";
import type { OldEntry, ResumePlan } from "./plan-resume.ts";

/**
 * Plans the remaining work of a failed run that its endpoint ran inline:
 *
 * - a result stays on record, with the plan before it;
 * - a plan without a result is forgotten, because the workflow asks again. The plan of a run that was invoked stays while
 *   that run is live, and so does that of a step that begins at most once and may have done its work;
 * - failed attempts are forgotten: each step has all its retries again;
 * - one delivery brings the workflow all records.
 *
 * @param children the runs that it has invoked: the engine records their ends without a request of the workflow
 */
export function planInlineResume(entries: readonly OldEntry[], children: readonly Run[]): ResumePlan {
  const recorded = new Set(entries.map(({ record }) => record));
  const expected = new Set(children.filter(isLive).map(({ invoker }) => invoker?.key));
  const failed = new Set(
    entries
      .filter(({ call_type }) => call_type === "attempt")
      .map((entry) => stepIdentity((read(entry) as AttemptEntry).step)),
  );
  const kept = entries.filter((entry) => {
    if (entry.call_type === "attempt") return false;
    if (!isKeyOf("plan", entry.record)) return true;
    const result = keyOf("result", stepOfKey(entry.record));
    return recorded.has(result) || expected.has(result) || isInterrupted(read(entry) as StepRecord, failed);
  });
  const last = kept.at(-1);
  return { kept, redelivered: new Set(last ? [last] : []) };
}

/** The plan of a step that runs in the endpoint, and hasn't said how it ended. */
function isInterrupted(plan: StepRecord, failed: ReadonlySet<string>): boolean {
  return kindOf(plan.stepType).recordedBy === "endpoint" && !failed.has(stepIdentity(stepKeyOf(plan)));
}

function read({ body }: OldEntry): unknown {
  return JSON.parse(toText(body));
}
