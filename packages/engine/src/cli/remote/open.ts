import { spawn } from "node:child_process";
import { DEFAULT_BASE_PATH } from "../../dashboard/index.ts";
import type { RemoteEngine } from "./engine.ts";
import { findRun } from "./run-id.ts";

/** The flags of `perdure open`. */
export interface OpenFlags {
  /** Prints the link, and opens nothing. */
  readonly print?: boolean;
}

/** Runs `perdure open [run]`: opens the dashboard, or a run's page on it, in the browser. */
export async function open(
  engine: RemoteEngine,
  id: string | undefined,
  { print }: OpenFlags,
): Promise<void> {
  const link =
    id === undefined
      ? `${engine.url}${DEFAULT_BASE_PATH}`
      : runLink(engine.url, (await findRun(engine, id)).workflowRunId);
  console.log(link);
  if (print) return;
  const [program, ...args] = openerOf(process.platform);
  const child = spawn(program, [...args, link], { stdio: "ignore", detached: true });
  child.once("error", () =>
    console.error(`No browser can be started with "${program}": open the link yourself.`),
  );
  child.unref();
}

/** Returns the link to a run's page on the dashboard of an engine. */
export function runLink(url: string, runId: string): string {
  return `${url}${DEFAULT_BASE_PATH}/runs/${encodeURIComponent(runId)}`;
}

function openerOf(platform: NodeJS.Platform): [program: string, ...args: string[]] {
  if (platform === "darwin") return ["open"];
  // `start` would read a URL with "&" as several commands; this handler takes it as it is.
  return platform === "win32" ? ["rundll32", "url.dll,FileProtocolHandler"] : ["xdg-open"];
}
