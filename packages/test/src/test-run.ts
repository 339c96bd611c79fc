import type { Client, EndedRun, Jsonify, WorkflowEvent } from "@perdure/core";
import { type Engine, type HistoryFile, type RunInfo, toHistoryFile } from "@perdure/engine";
import type { Fault, FaultOptions } from "./faults.ts";
import type { MockOutcome } from "./mocks.ts";
import type { Condition, Pump } from "./pump.ts";
import { type RunRecord, type TestFailure, unusedError } from "./run-record.ts";
import type { StepRecord, TestStep } from "./step-record.ts";
import { timelineOf } from "./timeline.ts";

/** The parts of a test that its runs share. */
export interface RunSurroundings {
  readonly engine: Engine;
  readonly client: Client;
  readonly pump: Pump;
  /** The unused mocks and faults that an ended run leaves. */
  readonly complaintsAfter: (run: RunRecord) => readonly string[];
}

/** A request to a run's webhook. */
export interface WebhookRequest {
  /** Default: `POST`. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string is sent as it is, everything else as JSON. */
  readonly body?: unknown;
}

/** A step to wait for. */
export interface StepChoice {
  readonly step: string;
  /** The occurrence among the steps with this name, from 0 on. Default: any. */
  readonly index?: number;
}

/** Waits until a run has come to a step; {@link RunUntil.waiting} waits until it rests there. */
export interface RunUntil {
  /**
   * Waits until the step's result is there, or, for a step that the engine carries out, such as a sleep, until it has
   * begun. No further step of the run begins before the test's next wait.
   *
   * @throws Error when the run ends before
   * @example
   * ```ts
   * await run.until({ step: "wait for the van" });
   * ```
   */
  (choice: StepChoice): Promise<void>;
  /**
   * Waits until the run waits for an event, a webhook, a child run, a call or a time.
   *
   * @param name the step's name, or the event's id
   * @throws Error when the run ends before
   * @example
   * ```ts
   * await run.until.waiting("approval");
   * await run.notify("approval", { ok: true });
   * ```
   */
  waiting(name: string): Promise<void>;
}

/** A run that has failed or was cancelled: the error of {@link TestRun.result}. */
export class RunFailedError extends Error {
  override name = "RunFailedError";
  /** The run as the client shows it. */
  readonly run: Omit<EndedRun, "result">;

  /** @param run the run that has no result */
  constructor(run: Omit<EndedRun, "result">) {
    const { workflowRunId, workflowState, error } = run;
    const where = error?.step ? ` at step "${error.step.name}"` : "";
    const how = workflowState === "RUN_CANCELED" ? "was cancelled" : `failed${where}: ${error?.message}`;
    super(`The run ${workflowRunId} ${how}`);
    this.run = run;
  }
}

/** A run of a test. */
export class TestRun<Result = unknown> {
  readonly #record: RunRecord;
  readonly #test: RunSurroundings;
  /** Waits until the run has come to a step. */
  readonly until: RunUntil;

  /** Tests get runs from {@link TestEngine.trigger} and {@link TestEngine.run}. */
  constructor(record: RunRecord, test: RunSurroundings) {
    this.#record = record;
    this.#test = test;
    this.until = Object.assign((choice: StepChoice) => this.#untilStep(choice), {
      waiting: (name: string) => this.#untilWaiting(name),
    });
  }

  /** The run's id. */
  get id(): string {
    return this.#record.id;
  }

  /** The run's state when the last wait ended; undefined before the first wait. */
  get state(): RunInfo["workflowState"] | undefined {
    return this.#record.info?.workflowState;
  }

  /** The steps that have begun so far, with their attempts, in the order in which the workflow requested them. */
  get steps(): readonly TestStep[] {
    return this.#record.steps.filter(({ hasBegun }) => hasBegun);
  }

  /** The argument and the answer of the failure function; undefined before its first call. */
  get failure(): TestFailure | undefined {
    return this.#record.failure;
  }

  /** The rollbacks that have ended, in the order in which they ran. */
  get rollbacks(): NonNullable<RunInfo["rollbacks"]> {
    return this.#record.info?.rollbacks ?? [];
  }

  /**
   * Replaces the outcome of a step. A mock that stays unused fails the test.
   *
   * @example
   * ```ts
   * run.mock("charge", { error: new Error("declined"), times: 2 });
   * run.mock("charge", { result: { id: "ch_1" } });
   * ```
   */
  mock(step: string, outcome: MockOutcome): void {
    this.#record.mocks.add(step, outcome);
  }

  /**
   * Makes a fault happen around an attempt of a step. A fault that doesn't happen fails the test.
   *
   * @example
   * ```ts
   * run.fault("charge", "crash"); // charged, and the endpoint dies before the result is recorded
   * ```
   */
  fault(step: string, fault: Fault, options: FaultOptions = {}): void {
    this.#record.planned.add(step, fault, options);
  }

  /**
   * Waits for the run's end, and of its rollbacks and its failure or cancel function. Time passes by itself.
   *
   * @returns the workflow's result, as JSON carries it
   * @throws RunFailedError when the run has failed or was cancelled
   * @throws Error when a mock or a fault of the run is unused, or, once no run is left, a mock of calls
   * @example
   * ```ts
   * expect(await run.result()).toEqual({ paid: true });
   * await expect(run.result()).rejects.toThrow("declined");
   * ```
   */
  async result(): Promise<Jsonify<Result>> {
    const run = await this.end();
    if (run.workflowState !== "RUN_SUCCESS") throw new RunFailedError(run);
    return run.result as Jsonify<Result>;
  }

  /**
   * As {@link TestRun.result}, and returns also a run that has failed or was cancelled.
   *
   * @throws Error as {@link TestRun.result} for what is unused
   * @example
   * ```ts
   * const { workflowState, error } = await run.end();
   * ```
   */
  async end(): Promise<EndedRun<Result>> {
    const record = this.#record;
    const { pump, client, complaintsAfter } = this.#test;
    await pump.until({
      what: `The end of the run ${record.id}`,
      isReached: (atRest) => atRest && record.isOver && complaintsAfter(record).length === 0,
      failure: () => (record.isOver ? unusedError(complaintsAfter(record)) : undefined),
    });
    return (await client.runs.get(record.id)) as EndedRun<Result>;
  }

  /**
   * Sends an event to this run only, also before it waits for it.
   *
   * @throws WorkflowError `invalid_event` when the data doesn't fit the schema of a declared event
   * @example
   * ```ts
   * await run.notify(approval, { ok: true });
   * ```
   */
  notify(eventId: string, data?: unknown): Promise<void>;
  notify<Input>(event: WorkflowEvent<unknown, Input>, data: NoInfer<Input>): Promise<void>;
  async notify(event: string | WorkflowEvent, data?: unknown): Promise<void> {
    const { client } = this.#test;
    const workflowRunId = this.id;
    if (typeof event === "string") await client.notify({ eventId: event, eventData: data, workflowRunId });
    else await client.notify({ eventId: event, eventData: data, workflowRunId });
  }

  /**
   * Sends a request to a webhook that the run has created.
   *
   * @param name the name of its `createWebhook`
   * @returns the engine's answer
   * @throws TypeError when the run hasn't created such a webhook yet
   * @example
   * ```ts
   * await run.until({ step: "payment webhook" });
   * await run.webhook("payment webhook", { body: { paid: true } });
   * ```
   */
  async webhook(name: string, request: WebhookRequest = {}): Promise<Response> {
    const created = this.#record.steps.find((step) => step.type === "CreateWebhook" && step.name === name);
    const { webhookUrl } = Object(created?.result) as { webhookUrl?: string };
    if (!webhookUrl)
      throw new TypeError(
        `The run ${this.id} has created no webhook "${name}". Wait for it: run.until({ step: ${JSON.stringify(name)} }).`,
      );
    const { method = "POST", body, headers } = request;
    const isText = typeof body === "string" || body === undefined;
    const init = {
      method,
      headers: { ...(isText ? {} : { "Content-Type": "application/json" }), ...headers },
      body: isText ? (body ?? null) : JSON.stringify(body),
    };
    return this.#test.engine.fetch(new Request(webhookUrl, init));
  }

  /**
   * Cancels the run.
   *
   * @example
   * ```ts
   * await run.cancel();
   * expect((await run.end()).workflowState).toBe("RUN_CANCELED");
   * ```
   */
  async cancel(): Promise<void> {
    await this.#test.engine.runs.cancel(this.id);
  }

  /**
   * Returns what has happened so far, a line each, with times since the run's start. It has no ids and no real times,
   * so it fits a snapshot.
   *
   * @example
   * ```ts
   * expect(run.timeline()).toMatchSnapshot();
   * ```
   */
  timeline(): string {
    return timelineOf(this.#record);
  }

  /**
   * Returns the run's recorded history in the format of `perdure export`, for {@link assertReplays}.
   *
   * @example
   * ```ts
   * await assertReplays(order, await run.history());
   * ```
   */
  async history(): Promise<HistoryFile> {
    const { engine } = this.#test;
    return toHistoryFile(await engine.runs.get(this.id), await engine.runs.history(this.id, { ended: true }));
  }

  #untilStep({ step, index }: StepChoice): Promise<void> {
    const matching = (): StepRecord[] =>
      this.#record.steps.filter((one) => one.name === step && one.index === (index ?? one.index));
    return this.#untilReached(`step "${step}"`, (atRest) =>
      matching().some((one) => one.isOver || (atRest && this.#isWaiting(one))),
    );
  }

  #untilWaiting(name: string): Promise<void> {
    return this.#untilReached(
      `its wait for "${name}"`,
      (atRest) =>
        atRest &&
        this.#record.steps.some((one) => (one.name === name || one.eventId === name) && this.#isWaiting(one)),
    );
  }

  async #untilReached(what: string, isReached: Condition["isReached"]): Promise<void> {
    const record = this.#record;
    const failure = (): Error | undefined => {
      if (!record.isOver) return undefined;
      const steps = record.steps.map(({ name }) => `"${name}"`).join(", ") || "none";
      const { workflowState, workflowRunError } = record.info ?? {};
      const how = workflowRunError ? `: ${workflowRunError.message}` : "";
      return new Error(
        `The run ${record.id} ended before ${what} (${workflowState}${how}). Its steps: ${steps}.`,
      );
    };
    await this.#test.pump.until({ what: `The run ${record.id} reaching ${what}`, isReached, failure });
  }

  /** True when the engine has taken the step, and the workflow waits for it. */
  #isWaiting({ name, index, isOver, attempts }: StepRecord): boolean {
    if (isOver || attempts.length > 0) return false;
    const shown = (this.#record.info?.steps ?? []).flatMap(({ steps }) => [...steps]);
    return shown.filter(({ stepName }) => stepName === name).length > index;
  }
}
