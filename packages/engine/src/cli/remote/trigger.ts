import type { EndedRun } from "@perdure/core";
import { startMessage, toHttpUrl, toRunId } from "@perdure/core/protocol";
import { printable } from "../terminal.ts";
import { CommandError, EXIT } from "./command-error.ts";
import type { RemoteEngine } from "./engine.ts";
import { readInput, toCount, toHeader } from "./input.ts";
import { formatWait, printJson } from "./output.ts";
import { lastError, type StepsPage } from "./steps.ts";
import { eventsOf, lineOf } from "./tail.ts";

/** The flags of `perdure trigger`. */
export interface TriggerFlags {
  readonly body?: string;
  readonly header?: readonly string[];
  readonly id?: string;
  readonly label?: string;
  readonly retries?: string;
  readonly delay?: string;
  /** `true` waits without a limit. */
  readonly wait?: string | true;
  readonly json?: boolean;
}

/** Runs `perdure trigger <url>`: starts a run, prints its id, and with `--wait` the result or the error. */
export async function trigger(engine: RemoteEngine, url: string, flags: TriggerFlags): Promise<void> {
  const started = await start(engine, url, flags);
  const { wait, json } = flags;
  const { workflowRunId } = started;
  if (wait === undefined) {
    if (json) printJson(started);
    else console.log(workflowRunId);
    return;
  }
  // The id comes first, so that the user can look at a run that takes long.
  if (!json) console.error(workflowRunId);
  const ended = new AbortController();
  const told = json ? undefined : tellDelays(engine, workflowRunId, ended.signal);
  const run = await engine.client.runs
    .wait(workflowRunId, wait === true ? {} : { timeout: wait as `${number}s` })
    .finally(() => ended.abort());
  await told;
  if (json) printJson({ workflowRunId, state: run.workflowState, result: run.result, error: run.error });
  else if (run.workflowState === "RUN_SUCCESS") printJson(run.result ?? null);
  if (run.workflowState !== "RUN_SUCCESS") throw new CommandError(EXIT.failed, endOf(run));
}

/** Prints why the end of a run takes its time: failed attempts, sleeps, and waits. */
async function tellDelays(engine: RemoteEngine, workflowRunId: string, signal: AbortSignal): Promise<void> {
  // The run may wait before the stream has begun.
  const isOver = async (): Promise<boolean> => {
    for (const { kind, text } of await waitsOf(engine, workflowRunId)) {
      if (kind === "delivering" || kind === "delivery") continue;
      const failure = kind === "retry" ? await lastFailure(engine, workflowRunId) : undefined;
      const reason = failure === undefined ? "" : `; the last one failed: ${printable(failure)}`;
      console.error(`waits: ${formatWait(text)}${reason}`);
    }
    return false;
  };
  for await (const event of eventsOf(engine, { query: { workflowRunId }, isOver, signal })) {
    if (event.wait !== undefined || event.until !== undefined) console.error(lineOf(event));
  }
}

async function waitsOf(engine: RemoteEngine, workflowRunId: string): Promise<readonly Waits[]> {
  const path = `workflows/runs/${encodeURIComponent(workflowRunId)}/overview`;
  return (await engine.request<{ readonly waitsFor: readonly Waits[] }>("GET", path)).waitsFor;
}

async function lastFailure(engine: RemoteEngine, workflowRunId: string): Promise<string | undefined> {
  const path = `workflows/runs/${encodeURIComponent(workflowRunId)}/steps`;
  const { steps } = await engine.request<StepsPage>("GET", path);
  return steps.map(({ errors }) => lastError(errors)).findLast((message) => message !== undefined);
}

/** A reason why a run doesn't go on at this moment. */
interface Waits {
  readonly kind: string;
  readonly text: string;
}

/** A started run, as `client.trigger` returns it. */
interface Started {
  readonly workflowRunId: string;
  readonly deduplicated: boolean;
}

/** Starts the run as the client does, in a request that names the person. */
async function start(engine: RemoteEngine, given: string, flags: TriggerFlags): Promise<Started> {
  const destination = toHttpUrl(given);
  if (destination === undefined)
    throw new CommandError(
      EXIT.usage,
      `The workflow's URL must begin with http:// or https://; got "${printable(given)}".`,
    );
  const { body, header = [], id, label, retries, delay } = flags;
  const runId = toRunId(id);
  const message = startMessage({
    url: destination,
    runId,
    body: body === undefined ? undefined : await readInput(body),
    headers: Object.fromEntries(header.map(toHeader)),
    ...(label === undefined ? {} : { label }),
    ...(retries === undefined ? {} : { retries: toCount("--retries", retries) }),
    ...(delay === undefined ? {} : { delay: delay as `${number}s` }),
  });
  const item = { destination, headers: message.headers, body: message.body };
  const [answer] = await engine.request<readonly Partial<Receipt>[]>("POST", "batch", { body: [item] });
  if (typeof answer?.messageId !== "string")
    throw new CommandError(
      EXIT.failed,
      `The engine at ${engine.url} refuses the run: ${printable(answer?.error ?? "")}`,
    );
  return { workflowRunId: runId, deduplicated: answer.deduplicated === true };
}

/** The engine's answer to the request that starts a run. */
interface Receipt {
  readonly messageId: string;
  readonly deduplicated: boolean;
  readonly error: string;
}

function endOf({ workflowRunId, workflowState, error }: EndedRun): string {
  if (workflowState === "RUN_CANCELED") return `The run ${workflowRunId} was cancelled.`;
  const { name, message, step } = error ?? { name: "Error", message: "unknown", step: undefined };
  const where = step === undefined ? "" : ` in step "${printable(step.name)}"`;
  return `The run ${workflowRunId} failed${where}: ${printable(name)}: ${printable(message)}`;
}
