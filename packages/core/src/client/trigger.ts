import type { Engine } from "../engine-client/engine.ts";
import { type Message, type RunOptions, startMessage } from "../protocol/message.ts";
import { toBody } from "../steps/index.ts";
import { WorkflowError } from "../util/errors.ts";
import { randomId, toRunId } from "../util/ids.ts";
import { checkOptions } from "../util/options.ts";
import { checkUrl } from "../util/url.ts";

/** A run to start, and how it is to be delivered. */
export interface TriggerOptions extends RunOptions {
  /** The workflow's endpoint, as the engine reaches it. */
  readonly url: string;
  /** The payload: a text is sent as it is, everything else as JSON. */
  readonly body?: unknown;
  /** A name of your own for the run; its id is `wfr_` and this. While such a run lives, no second one is started. */
  readonly workflowRunId?: string;
  /** Leaves out the headers that tell the engine which package and runtime it talks to. */
  readonly disableTelemetry?: boolean;
  /** Always on; accepted for code that was written when it wasn't. */
  readonly useFailureFunction?: true;
  /** Always on; accepted for code that was written when it wasn't. */
  readonly keepTriggerConfig?: true;
}

/** The run that was asked for. */
export interface TriggerResult {
  readonly workflowRunId: string;
  /** A run of this id was live already: it goes on, and nothing was started. */
  readonly deduplicated: boolean;
}

/**
 * @throws TypeError for options that can't be obeyed, before anything is sent
 * @throws WorkflowError `engine_refused` when the engine takes one of them not. Its `cause` lists for each what became of it.
 */
export async function trigger(engine: Engine, all: readonly TriggerOptions[]): Promise<TriggerResult[]> {
  const runIds = all.map(({ workflowRunId }) => toRunId(workflowRunId));
  const receipts = await engine.create(all.map((options, at) => toMessage(options, runIds[at] as string)));
  const results = receipts.map((receipt, at) =>
    receipt instanceof Error
      ? receipt
      : { workflowRunId: runIds[at] as string, deduplicated: receipt.deduplicated },
  );
  const refused = results.filter((result) => result instanceof Error);
  if (refused.length === 0) return results as TriggerResult[];
  const reasons = refused.map((error) => error.message).join("; ");
  throw new WorkflowError(
    "engine_refused",
    `${refused.length} of ${all.length} runs weren't started: ${reasons}`,
    { cause: results },
  );
}

function toMessage(options: TriggerOptions, runId: string): Message {
  checkOptions(
    "trigger",
    options,
    "url body headers retries retryDelay flowControl timeout label failureRetries failureRetryDelay failureUrl delay notBefore redact workflowRunId disableTelemetry useFailureFunction keepTriggerConfig",
  );
  const url = checkUrl("url", options.url);
  for (const option of ["useFailureFunction", "keepTriggerConfig"] as const) {
    if ((options[option] ?? true) !== true) throw new TypeError(`${option} can't be switched off.`);
  }
  const body = toBody(options.body, "The payload");
  const start = { ...options, url, runId, body, triggerId: randomId() };
  const message = startMessage(start);
  return options.disableTelemetry ? { ...message, withoutTelemetry: true } : message;
}
