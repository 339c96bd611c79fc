import { EventSourceParserStream } from "eventsource-parser/stream";
import colors from "picocolors";
import { printable, printableJson } from "../terminal.ts";
import { CommandError, EXIT } from "./command-error.ts";
import type { RemoteEngine } from "./engine.ts";
import { formatDuration, formatTime } from "./output.ts";
import { findRun, type RunsPage } from "./run-id.ts";

/** The flags of `perdure tail`. */
export interface TailFlags {
  readonly workflow?: string;
  readonly label?: string;
  /** Prints each event as one line of JSON. */
  readonly json?: boolean;
}

/** An event of the stream. */
export interface StreamEvent {
  readonly type: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly workflowRunId?: string;
  readonly stepName?: string;
  readonly attempt?: number;
  readonly status?: number;
  readonly error?: string;
  readonly until?: number;
  readonly wait?: number;
  readonly reason?: string;
  readonly messageId?: string;
  /** Whose message it is: `step`, `call`, `failure` … */
  readonly kind?: string;
  /** The result of a rollback, or of a failure function. */
  readonly state?: string;
  readonly outcome?: string;
  readonly url?: string;
}

/** Milliseconds until the command connects again after the engine has closed the stream or is away. */
const RECONNECT_MS = 1000;

/** The events after which a run's stream has nothing more to say. */
const ENDS: ReadonlySet<string> = new Set(["run.completed", "run.failed", "run.canceled", "run.expired"]);

/**
 * Runs `perdure tail [run]`: prints what happens, as it happens, until Ctrl-C. With a run, the command ends
 * with it. When the connection breaks, the command goes on where it was.
 */
export async function tail(engine: RemoteEngine, id: string | undefined, flags: TailFlags): Promise<void> {
  const { workflow, label, json } = flags;
  const run = id === undefined ? undefined : await findRun(engine, id);
  if (run && run.workflowState !== "RUN_STARTED")
    return console.error(
      `The run ${run.workflowRunId} has ended. perdure show ${run.workflowRunId} prints it.`,
    );
  const query = { workflowRunId: run?.workflowRunId, workflowUrl: workflow, label };
  // The run may have ended before the stream began.
  const isOver = async (): Promise<boolean> => run !== undefined && hasEnded(engine, run.workflowRunId);
  for await (const event of eventsOf(engine, { query, isOver })) {
    console.log(json ? printableJson(event) : lineOf(event));
    if (run && ENDS.has(event.type)) return;
  }
  console.error(`The run ${run?.workflowRunId} has ended.`);
}

interface Selection {
  readonly query: Readonly<Record<string, string | undefined>>;
  /** Says, once the stream has begun, that there is nothing to wait for. */
  readonly isOver?: () => Promise<boolean>;
  readonly signal?: AbortSignal;
}

/**
 * Yields what happens, as it happens. When the connection breaks, it goes on where it was.
 *
 * @throws CommandError when the engine refuses the stream, or has never answered
 */
export async function* eventsOf(engine: RemoteEngine, selection: Selection): AsyncGenerator<StreamEvent> {
  const { query, isOver, signal = new AbortController().signal } = selection;
  let lastEventId: string | undefined;
  while (!signal.aborted) {
    const events = await open(engine, { ...query, lastEventId }, signal);
    if (lastEventId === undefined && (await isOver?.())) return;
    for await (const { id, data } of events) {
      lastEventId = id ?? lastEventId;
      yield JSON.parse(data) as StreamEvent;
    }
    if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
  }
}

interface Message {
  readonly id?: string | undefined;
  readonly data: string;
}

/**
 * Opens the stream. On a later connection, an engine that is away gives an empty stream.
 *
 * @throws CommandError when the engine refuses the stream, or has never answered
 */
async function open(
  engine: RemoteEngine,
  query: Selection["query"],
  signal: AbortSignal,
): Promise<AsyncIterable<Message>> {
  const isFirst = query.lastEventId === undefined;
  try {
    const { body } = await engine.open("GET", "workflows/stream", { query }, signal);
    return body ? untilItBreaks(body) : none();
  } catch (error) {
    if (signal.aborted) return none();
    const isRefusal = error instanceof CommandError && error.exitCode !== EXIT.unreachable;
    if (isFirst || isRefusal) throw error;
    return none();
  }
}

async function* none(): AsyncGenerator<Message> {}

async function* untilItBreaks(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<Message> {
  const messages = body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  try {
    yield* messages;
  } catch {
    // The connection is broken: the command opens another one.
  }
}

async function hasEnded(engine: RemoteEngine, workflowRunId: string): Promise<boolean> {
  const query = { workflowRunId, count: 1 };
  const { runs } = await engine.request<RunsPage>("GET", "workflows/runs", { query });
  return runs[0]?.workflowState !== "RUN_STARTED";
}

/** The messages of a run beside its steps, in words. */
const MESSAGES: Readonly<Record<string, string>> = {
  call: "call",
  answer: "answer to a call",
  failure: "failure function",
  rollback: "rollbacks",
  cancel: "cancel function",
};

/** One line about an event, for people. */
export function lineOf(event: StreamEvent): string {
  const { type, time, workflowRunId, messageId, stepName, attempt, status, error, until, wait, reason } =
    event;
  const subject = workflowRunId ?? messageId ?? "";
  const details = [
    stepName,
    messageId === undefined || event.kind === "step" ? undefined : (MESSAGES[event.kind ?? ""] ?? event.url),
    event.state === "failed" ? "failed" : event.outcome,
    attempt === undefined || attempt < 2 ? undefined : `attempt ${attempt}`,
    status || undefined,
    error,
    until === undefined ? undefined : `until ${formatTime(until)}`,
    wait === undefined ? undefined : `again in ${formatDuration(wait)}`,
    reason,
  ].filter((one) => one !== undefined);
  const color = /fail|expired/i.test(event.state ?? type)
    ? colors.red
    : /completed/.test(type)
      ? colors.green
      : colors.cyan;
  const text = printable(details.join("  "));
  return `${colors.dim(formatTime(time).slice(11))} ${printable(subject)} ${color(printable(type))} ${text}`.trimEnd();
}
