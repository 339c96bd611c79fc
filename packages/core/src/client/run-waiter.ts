import { type CallApi, isStatus, toSegment } from "../engine-client/api.ts";
import type { Query } from "../engine-client/http.ts";
import type { RunLog, RunState } from "../protocol/log.ts";
import { mustBe } from "../util/check.ts";
import { type Duration, toMilliseconds } from "../util/duration.ts";
import { WorkflowError } from "../util/errors.ts";
import { checkOptions } from "../util/options.ts";
import { within } from "../util/timeout.ts";
import { type EndedRun, type Run, toRun } from "./run.ts";

/** Limits of a wait for a run's end. */
export interface WaitForRun {
  /** Seconds or a duration. Default: no limit. */
  readonly timeout?: number | Duration;
  /** Aborts the wait. The run continues. */
  readonly signal?: AbortSignal;
  /** `"wait"`: also waits for the end of the rollbacks and of the failure or cancel function. */
  readonly failureFunction?: "wait";
}

/** The answer of Perdure's own engine to a wait: with the run once it has ended, without it when the time is over first. */
interface WaitAnswer {
  readonly workflowState: RunState;
  readonly workflowRunCreatedAt: number;
  readonly run?: RunLog;
}

/** How long the engine may hold one request. Many proxies give up a request after 30 seconds. */
const MAX_WAIT_MS = 25_000;

/** How much later than promised an answer may come. */
const LATE_MS = 10_000;

const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 2000;

/** How long `wait` waits for the failure function of an ended run. */
const GRACE_MS = 1000;

/** Workers have six connections at a time. */
const MAX_WAITS = 6;

/** Waits for the ends of runs: with one request that the engine holds, and by polling where the engine can't do that. */
export class RunWaiter {
  readonly #callApi: CallApi;
  readonly #get: (runId: string) => Promise<Run | undefined>;
  /** The engine doesn't know the request. */
  #mustPoll = false;

  constructor(callApi: CallApi, get: (runId: string) => Promise<Run | undefined>) {
    this.#callApi = callApi;
    this.#get = get;
  }

  /** Waits for several runs under one time limit, a few at a time. @param end as {@link deadlineOf} */
  async waitForAll(runIds: readonly string[], options: WaitForRun, end: number): Promise<EndedRun[]> {
    const runs: EndedRun[] = [];
    // One iterator for all: each run is taken from it once.
    const left = runIds.entries();
    const waitInTurn = async (): Promise<void> => {
      for (const [at, runId] of left) runs[at] = await this.wait(runId, options, end);
    };
    await Promise.all(Array.from({ length: MAX_WAITS }, waitInTurn));
    return runs;
  }

  /** Waits for the end of a run. @param end as {@link deadlineOf} */
  async wait(runId: string, options: WaitForRun, end: number): Promise<EndedRun> {
    const { timeout, signal, failureFunction } = options;
    let last = end;
    let ended: EndedRun | undefined;
    let createdAt: number | undefined;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, MAX_PAUSE_MS)) {
      signal?.throwIfAborted();
      const reports = failureFunction ?? (ended && "wait");
      const query = { failureFunction: reports, workflowCreatedAt: createdAt };
      const answer = await this.#askEngine(runId, query, last - Date.now(), signal);
      signal?.throwIfAborted();
      const run = answer ? answer.run && toRun(answer.run) : await this.#poll(runId);
      if (run && (isFinished(run) || (answer && reports))) return run;
      const { workflowState: state, workflowRunCreatedAt } = (run ?? answer) as WaitAnswer;
      createdAt = workflowRunCreatedAt;
      if (state !== "RUN_STARTED" && !failureFunction) {
        if (!ended) [last, pause] = [Math.min(end, Date.now() + GRACE_MS), FIRST_PAUSE_MS];
        ended = run ?? ended;
      }
      const left = last - Date.now();
      if (left <= 0 && ended) return ended;
      if (left <= 0) throw timedOut({ workflowRunId: runId, workflowState: state }, timeout);
      // The engine has held the request; the pause is for one that doesn't.
      await rest(Math.min(answer ? FIRST_PAUSE_MS : pause, left), signal);
    }
  }

  /** @returns undefined when the engine can't hold the request, for now or at all */
  async #askEngine(
    runId: string,
    query: Query,
    left: number,
    signal: AbortSignal | undefined,
  ): Promise<WaitAnswer | undefined> {
    if (this.#mustPoll) return undefined;
    const ms = Math.max(0, Math.min(left, MAX_WAIT_MS));
    const path = ["workflows", "runs", toSegment(runId), "wait"];
    try {
      const answer = await within(ms + LATE_MS, signal, (limit) =>
        this.#callApi<WaitAnswer>("GET", path, { query: { timeout: `${ms}ms`, ...query }, signal: limit }),
      );
      if (answer?.workflowState) return answer;
      this.#mustPoll = true;
    } catch (error) {
      // An engine that doesn't know the request answers so, and one that doesn't know the run: then the poll fails.
      this.#mustPoll = isStatus(error, 404) || isStatus(error, 405);
      // Anything else may pass: the engine has no place, or a proxy has given up. The poll throws a lasting error.
    }
    return undefined;
  }

  async #poll(runId: string): Promise<Run> {
    const run = await this.#get(runId);
    if (run) return run;
    this.#mustPoll = false;
    throw new WorkflowError("unknown_run", `The engine knows no run "${runId}".`);
  }
}

/**
 * When a wait that begins now is over, in milliseconds since 1970.
 *
 * @throws TypeError for invalid options
 */
export function deadlineOf(options: WaitForRun): number {
  checkOptions("the wait", options, "timeout signal failureFunction");
  const { timeout, failureFunction } = options;
  if (failureFunction !== undefined && failureFunction !== "wait")
    throw mustBe("failureFunction", '"wait"', failureFunction);
  return timeout === undefined ? Infinity : Date.now() + toMilliseconds(timeout, "timeout");
}

function timedOut(run: Pick<RunLog, "workflowRunId" | "workflowState">, timeout: unknown): WorkflowError {
  const limit = typeof timeout === "number" ? `${timeout} s` : timeout;
  const unfinished = UNFINISHED[run.workflowState] ?? "";
  const message = `The run "${run.workflowRunId}"${unfinished} hasn't ended within ${limit}.`;
  return new WorkflowError("timeout", message, { cause: run });
}

/** The part of a run that hasn't ended, in the words of an error. */
const UNFINISHED: Readonly<Record<string, string>> = {
  RUN_FAILED: " has failed, and its failure function",
  RUN_CANCELED: " was cancelled, and its cancel function",
};

/** Whether a run has ended, and so has its failure or cancel function. */
function isFinished({ workflowState, failureFunction, cancelFunction }: RunLog): boolean {
  return (
    workflowState !== "RUN_STARTED" &&
    failureFunction?.state !== IN_PROGRESS &&
    cancelFunction?.state !== IN_PROGRESS
  );
}

const IN_PROGRESS = "CALLBACK_INPROGRESS";

/** Waits for `ms`. An abort ends the pause early; the caller then checks the signal. */
async function rest(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await within(ms, signal, () => new Promise<never>(() => {})).catch(() => {});
}
