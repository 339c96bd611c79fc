import { writeFileSync } from "node:fs";
import { DEV_CREDENTIALS, type HistoryEntry, readVariable } from "@perdure/core/protocol";
import type { RunInfo, RunPage } from "../api/runs.ts";
import { toHistoryFile } from "../history-file.ts";
import { giveUp } from "./listen.ts";
import type { Env } from "./settings.ts";
import { printableJson } from "./terminal.ts";

/** The flags of `perdure export`. */
export interface ExportFlags {
  readonly url?: string;
  readonly token?: string;
  readonly out?: string;
}

/** The engine to ask. */
interface Target {
  readonly url: string;
  readonly token: string;
}

/** The engine has refused a request, or gave no answer. */
class ExportError extends Error {}

/** Runs `perdure export RUN`: writes a run's history to a file, or prints it. */
export async function exportRun(runId: string, flags: ExportFlags): Promise<void> {
  try {
    const target = targetOf(flags, process.env);
    const run = await findRun(target, runId);
    const query = new URLSearchParams({
      ended: "true",
      workflowCreatedAt: String(run.workflowRunCreatedAt),
    });
    const path = `/v2/workflows/runs/${encodeURIComponent(runId)}?${query}`;
    const file = toHistoryFile(run, await get<HistoryEntry[]>(target, path));
    const text = `${printableJson(file, 2)}\n`;
    if (flags.out === undefined) process.stdout.write(text);
    else {
      // A history holds the payload and all results.
      writeFileSync(flags.out, text, { mode: 0o600 });
      console.log(`Wrote ${file.history.length} entries of ${runId} to ${flags.out}.`);
    }
  } catch (error) {
    if (!(error instanceof ExportError)) throw error;
    giveUp(error.message);
  }
}

/** The flags, else the environment's variables, else the engine of `perdure dev`. */
function targetOf({ url, token }: ExportFlags, env: Env): Target {
  const given = url ?? readVariable(env, "PERDURE_URL").value;
  const port = readVariable(env, "PERDURE_DEV_PORT").value ?? DEV_CREDENTIALS.port;
  return {
    url: (given ?? `http://127.0.0.1:${port}`).replace(/\/+$/, ""),
    token: token ?? readVariable(env, "PERDURE_TOKEN").value ?? DEV_CREDENTIALS.token,
  };
}

async function findRun(target: Target, runId: string): Promise<RunInfo> {
  const query = new URLSearchParams({ workflowRunId: runId, count: "1" });
  const { runs } = await get<RunPage>(target, `/v2/workflows/logs?${query}`);
  const [run] = runs;
  if (run) return run;
  throw new ExportError(`The engine at ${target.url} knows no run ${runId}.`);
}

function parse<Answer>(text: string, url: string): Answer {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `The server at ${url} is no Perdure engine: its answer isn't JSON. Name the engine with --url, or PERDURE_URL.`;
    throw new ExportError(message, { cause });
  }
}

async function get<Answer>({ url, token }: Target, path: string): Promise<Answer> {
  const headers = { Authorization: `Bearer ${token}` };
  let answer: Response;
  try {
    answer = await fetch(url + path, { headers, redirect: "manual" });
  } catch (cause) {
    const reason = String(Object(cause).cause ?? cause);
    throw new ExportError(`No engine answers at ${url}: ${reason}. Name one with --url, or PERDURE_URL.`);
  }
  const text = await answer.text();
  if (answer.ok) return parse(text, url);
  const hint = answer.status === 401 ? " Give its token with --token, or PERDURE_TOKEN." : "";
  throw new ExportError(`The engine at ${url} answers ${answer.status}: ${text.slice(0, 500)}${hint}`);
}
