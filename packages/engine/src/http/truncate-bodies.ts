import type { YieldPoint } from "../store/time-slices.ts";
import type { GroupView, RunView, StepView } from "./run-schemas.ts";

/** The fields of a run's log that contain bodies. */
const BODIES: ReadonlySet<string> = new Set([
  "body",
  "callBody",
  "callResponseBody",
  "failResponse",
  "invokedWorkflowRunBody",
  "out",
  "responseBody",
  "workflowRunResponse",
]);

/**
 * Cuts the bodies in a run's log to `bytes`, at the end of a character. Leaves the bodies out if `bytes` is
 * below 0.
 *
 * @param pause lets other requests run between the steps of a long run
 */
export async function truncateBodies(run: RunView, bytes: number, pause: YieldPoint): Promise<RunView> {
  const { workflowRunError: error, steps, rollbacks, ...rest } = run;
  const groups: GroupView[] = [];
  for (const group of steps) groups.push({ ...group, steps: await truncateSteps(group.steps, bytes, pause) });
  // The text of an error of a rollback is no body.
  const trimmed = {
    ...(truncate(rest, bytes) as typeof rest),
    ...(rollbacks ? { rollbacks } : {}),
    steps: groups,
  };
  if (!error || bytes < 0) return trimmed;
  return { ...trimmed, workflowRunError: { ...error, message: cut(error.message, bytes) } };
}

async function truncateSteps(
  steps: readonly StepView[],
  bytes: number,
  pause: YieldPoint,
): Promise<StepView[]> {
  const truncated: StepView[] = [];
  for (const step of steps) {
    await pause();
    truncated.push(truncate(step, bytes) as StepView);
  }
  return truncated;
}

function truncate(view: unknown, bytes: number): unknown {
  if (Array.isArray(view)) return view.map((item) => truncate(item, bytes));
  if (typeof view !== "object" || view === null) return view;
  return Object.fromEntries(
    Object.entries(view).flatMap(([name, value]) => {
      if (!BODIES.has(name) || typeof value !== "string") return [[name, truncate(value, bytes)]];
      return bytes < 0 ? [] : [[name, cut(value, bytes)]];
    }),
  );
}

function cut(text: string, bytes: number): string {
  const all = Buffer.from(text);
  if (all.length <= bytes) return text;
  let end = bytes;
  // Never cut between the bytes of a character.
  while (end > 0 && ((all[end] ?? 0) & 0xc0) === 0x80) end--;
  return all.toString("utf8", 0, end);
}
