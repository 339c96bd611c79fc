import { changeMatching } from "./change-matching.ts";
import { type ConfirmFlags, confirm } from "./confirm.ts";
import type { RemoteEngine } from "./engine.ts";
import { printJson } from "./output.ts";
import type { RunFilterFlags } from "./run-filters.ts";
import { findRun } from "./run-id.ts";

/** The flags of `perdure cancel`. */
export interface CancelFlags extends RunFilterFlags, ConfirmFlags {
  readonly all?: boolean;
  readonly json?: boolean;
}

/** Runs `perdure cancel [run...]`: cancels the named runs, or all live runs that match the flags. */
export async function cancel(
  engine: RemoteEngine,
  ids: readonly string[],
  flags: CancelFlags,
): Promise<void> {
  const cancelled =
    ids.length > 0 ? await cancelNamed(engine, ids, flags) : await changeMatching(engine, "cancel", flags);
  if (cancelled === undefined) return;
  if (flags.json) printJson({ cancelled });
  else console.log(cancelled === 1 ? "1 run cancelled." : `${cancelled} runs cancelled.`);
}

async function cancelNamed(
  engine: RemoteEngine,
  ids: readonly string[],
  flags: CancelFlags,
): Promise<number | undefined> {
  const found = await Promise.all(ids.map((id) => findRun(engine, id)));
  if (found.length > 1 && !(await confirm(`Cancel ${found.length} runs`, flags))) return undefined;
  const query = { workflowRunIds: found.map(({ workflowRunId }) => workflowRunId) };
  const { cancelled } = await engine.request<{ cancelled: number }>("DELETE", "workflows/runs", { query });
  return cancelled;
}
