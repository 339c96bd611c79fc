import { writeFileSync } from "node:fs";
import type { HistoryEntry } from "@perdure/core/protocol";
import type { RunPage } from "../../api/runs.ts";
import { toHistoryFile } from "../../history-file.ts";
import { messageOf } from "../../rules/thrown.ts";
import { printableJson } from "../terminal.ts";
import { CommandError, EXIT } from "./command-error.ts";
import type { RemoteEngine } from "./engine.ts";
import { findRun } from "./run-id.ts";

/** The flags of `perdure export`. */
export interface ExportFlags {
  readonly out?: string;
}

/** Runs `perdure export <run>`: writes a run's history to a file, or prints it. */
export async function exportRun(engine: RemoteEngine, id: string, { out }: ExportFlags): Promise<void> {
  const { workflowRunId, workflowRunCreatedAt: workflowCreatedAt } = await findRun(engine, id);
  const { runs } = await engine.request<RunPage>("GET", "workflows/logs", {
    query: { workflowRunId, workflowCreatedAt, count: 1 },
  });
  const [run] = runs;
  if (!run) throw new CommandError(EXIT.notFound, `The run ${workflowRunId} has just been deleted.`);
  const path = `workflows/runs/${encodeURIComponent(workflowRunId)}`;
  const history = await engine.request<HistoryEntry[]>("GET", path, {
    query: { ended: true, workflowCreatedAt },
  });
  const file = toHistoryFile(run, history);
  const text = `${printableJson(file, 2)}\n`;
  if (out === undefined) {
    process.stdout.write(text);
    return;
  }
  try {
    // A history holds the payload and all results.
    writeFileSync(out, text, { mode: 0o600 });
  } catch (cause) {
    throw new CommandError(EXIT.failed, `The file "${out}" can't be written: ${messageOf(cause)}`, { cause });
  }
  console.log(`Wrote ${file.history.length} entries of ${workflowRunId} to ${out}.`);
}
