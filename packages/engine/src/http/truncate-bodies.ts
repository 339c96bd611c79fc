import type { RunView } from "./run-schemas.ts";

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
 */
export function truncateBodies(run: RunView, bytes: number): RunView {
  const { workflowRunError: error, ...rest } = run;
  const trimmed = truncate(rest, bytes) as RunView;
  if (!error || bytes < 0) return trimmed;
  return { ...trimmed, workflowRunError: { ...error, message: cut(error.message, bytes) } };
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
