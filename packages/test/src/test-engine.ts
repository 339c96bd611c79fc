import {
  Client,
  type Duration,
  type Env,
  type Invokable,
  type Jsonify,
  type TriggerWorkflowOptions,
} from "@perdure/core";
import { checkOptions, classify, HEADER, randomId, readFailure } from "@perdure/core/protocol";
import type { EndpointDefinition } from "@perdure/core/testing";
import { createEngine, type Engine, fetchTransport, ManualClock, openSqlite } from "@perdure/engine";
import { type CallAnswer, Calls, type MockCallOptions, type TestCall } from "./calls.ts";
import {
  type ChaosOptions,
  type ChaosReport,
  compareRuns,
  MismatchError,
  retriesWithFaults,
} from "./chaos.ts";
import { currentDelivery, Delivery } from "./delivery.ts";
import { toMs } from "./duration.ts";
import { APP_URL, Endpoints, type TestedWorkflow } from "./endpoints.ts";
import { connectTo } from "./engine-http.ts";
import { fakeDate } from "./fake-date.ts";
import type { FaultSource } from "./faults.ts";
import { observeFailure, observeWorkflow } from "./observer.ts";
import { Pump } from "./pump.ts";
import { letOthersRun, realTime } from "./real-time.ts";
import { RunRecord, unusedError } from "./run-record.ts";
import { inScope, type Surroundings } from "./scope.ts";
import { describeWaits } from "./stuck.ts";
import { TestRun } from "./test-run.ts";
import { WaitingClients } from "./waiting-clients.ts";

/** Options of {@link testEngine}. */
export interface TestEngineOptions {
  /** The workflows by the paths of their URLs, such as `"/order"`. */
  readonly workflows: Readonly<Record<string, TestedWorkflow>>;
  /** `false`: each delivery runs one step, as on hosted QStash. Default: as the workflow says, in which inline is on. */
  readonly inline?: false;
  /** The time at which the test begins: a `Date`, or milliseconds since 1970. Default: now. */
  readonly now?: Date | number;
  /** Whether `Date` tells the test's time in workflows and steps. Default: false. */
  readonly fakeDate?: boolean;
  /** The environment of the endpoints, as `context.env`. Default: `process.env`. */
  readonly env?: Env;
  /** Real seconds, or a duration, after which a wait says what the runs wait for, and fails. Default: `"4s"`. */
  readonly timeout?: number | Duration;
  /** Whether the console shows what the runtime writes: failed attempts and warnings. Default: false. */
  readonly verbose?: boolean;
}

/** The time of a test. */
export interface TestClock {
  /**
   * Milliseconds since 1970.
   *
   * @example
   * ```ts
   * const due = t.clock.now() + 86_400_000;
   * ```
   */
  now(): number;
  /**
   * Lets time pass by hand: everything that is due meanwhile happens, each at its time.
   *
   * @param by seconds or a duration
   * @example
   * ```ts
   * await t.clock.advance("3d");
   * ```
   */
  advance(by: number | Duration): Promise<void>;
}

/** The parts that this package's own functions replace. */
interface Hooks {
  /** The faults of each run, in place of those that the test plans. */
  readonly faults?: FaultSource;
  /** Makes the function that is called in place of a workflow. */
  readonly replay?: (endpoint: EndpointDefinition) => EndpointDefinition["workflow"];
}

/** Ten thousand days: the engine forgets nothing during a test. */
const RETENTION_MS = 10_000 * 86_400_000;

/** Real milliseconds for which `close` waits for work that is under way. */
const CLOSING_MS = 500;

/** Turns after which an answered request is delivered again. */
const REPEAT_TURNS = 2;

/** Real milliseconds that recorded steps may stay unrequested: a failing attempt should cost a test little time. */
const MISMATCH_TIMEOUT_MS = 500;

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** An engine for one test, with the workflows and a client, in this process. */
export class TestEngine implements AsyncDisposable {
  /** A client of the engine. Time passes by itself while it waits for a run. */
  readonly client: Client;
  /** The time of the test. It passes by itself while the test waits for a run. */
  readonly clock: TestClock;
  /** The engine. */
  readonly engine: Engine;
  readonly #options: TestEngineOptions;
  readonly #hooks: Hooks;
  readonly #endpoints: Endpoints;
  readonly #runs = new Map<string, RunRecord>();
  readonly #time: ManualClock;
  readonly #pump: Pump;
  readonly #calls: Calls;
  readonly #surroundings: Surroundings;
  readonly #repetitions = new Set<Promise<void>>();
  readonly #closing: (() => unknown)[] = [];

  /** Use {@link testEngine}. */
  constructor(options: TestEngineOptions, hooks: Hooks = {}) {
    const names = "workflows inline now fakeDate env timeout verbose";
    checkOptions<TestEngineOptions, typeof names>("testEngine", options, names);
    this.#hooks = hooks;
    const { workflows, now, timeout = "4s", verbose = false } = options;
    this.#options = options;
    this.#endpoints = new Endpoints(workflows);
    this.#time = new ManualClock(now === undefined ? Date.now() : Number(now));
    const time = () => this.#time.now();
    const token = btoa(JSON.stringify({ UserID: "test", Password: randomId() }));
    const signingKeys = { current: `sig_${randomId()}`, next: `sig_${randomId()}` };
    const store = openSqlite(":memory:", { now: time });
    this.engine = createEngine({
      store,
      token,
      signingKeys,
      clock: this.#time,
      transport: fetchTransport(MAX_ANSWER_BYTES, (request) => this.#answer(request)),
      retention: { runs: RETENTION_MS, dlq: RETENTION_MS, logs: RETENTION_MS },
    });
    const clients = new WaitingClients((runId) => this.#untilOver(runId));
    const connection = connectTo(this.engine, (request) => clients.before(request));
    this.client = new Client(connection);
    this.#pump = new Pump({
      engine: this.engine,
      clock: this.#time,
      patience: toMs(timeout, "timeout"),
      refresh: () => this.#refresh((id) => store.runEnd({ id, withReports: true })),
      describe: () => describeWaits([...this.#runs.values()], time()),
    });
    this.#calls = new Calls(time, (error) => this.#pump.fail(error));
    const silent = { error: () => {}, warn: () => {}, info: () => {} };
    this.#surroundings = {
      fakesDate: options.fakeDate ?? false,
      now: time,
      console: verbose ? console : silent,
      mismatchTimeoutMs: MISMATCH_TIMEOUT_MS,
      client: connection,
      options: ({ authorize, env }) => ({
        ...(authorize ? { authorize } : {}),
        ...(env ? { env } : {}),
        qstashClient: connection,
        keys: signingKeys,
        baseUrl: APP_URL,
      }),
      replace: (endpoint) => this.#observe(endpoint),
    };
    this.clock = { now: time, advance: (by) => this.#advance(by) };
    if (options.fakeDate) this.#closing.push(fakeDate());
    this.#closing.push(
      // Work that never ends must not hold up the next test.
      () => Promise.race([this.engine.stop({ deadline: 0 }), realTime(CLOSING_MS)]),
      () => store.close(),
    );
  }

  /** The requests that the engine has made to other servers, the first one first. */
  get calls(): readonly TestCall[] {
    return this.#calls.made;
  }

  /** All runs so far, those of children included, in the order of their starts. */
  get runs(): readonly TestRun[] {
    return [...this.#runs.keys()].map((id) => this.run(id));
  }

  /**
   * Starts a run. Nothing of it happens before the test waits for a run.
   *
   * @param workflow one of the `workflows`, or its path
   * @example
   * ```ts
   * const run = await t.trigger(order, { id: "1", card: "4242" });
   * ```
   */
  trigger(path: string, payload?: unknown, options?: TriggerWorkflowOptions): Promise<TestRun>;
  trigger<Payload, Result>(
    workflow: Invokable<Payload, Result>,
    ...given: Payload extends undefined
      ? [payload?: undefined, options?: TriggerWorkflowOptions]
      : [payload: NoInfer<Payload | Jsonify<Payload>>, options?: TriggerWorkflowOptions]
  ): Promise<TestRun<Result>>;
  async trigger(
    workflow: Invokable | string,
    payload?: unknown,
    options: TriggerWorkflowOptions = {},
  ): Promise<TestRun> {
    if (this.#closing.length === 0) throw new TypeError("The test's engine is closed: it starts no run.");
    const url = this.#endpoints.urlOf(workflow);
    const { workflowRunId, deduplicated } = await this.client.trigger({ ...options, url, body: payload });
    if (!deduplicated) this.#addRun(workflowRunId);
    return this.run(workflowRunId);
  }

  /**
   * Returns a run by its id, such as a child's.
   *
   * @throws TypeError for a run that hasn't begun
   * @example
   * ```ts
   * const child = t.run(String(t.runs[1]?.id));
   * ```
   */
  run<Result = unknown>(workflowRunId: string): TestRun<Result> {
    const record = this.#runs.get(workflowRunId);
    if (!record) throw new TypeError(`The test has no run "${workflowRunId}".`);
    return new TestRun(record, this.#parts);
  }

  /**
   * Answers the requests of `context.call` to a URL. A call without a mock fails the test, and so does an unused mock.
   *
   * @param url the whole URL, or an expression that it matches
   * @example
   * ```ts
   * t.mockCall("https://rates.example.com/eur", { body: { rate: 1.1 } });
   * t.mockCall(/\/mails$/, { status: 503 }, { method: "POST", times: 2 });
   * ```
   */
  mockCall(url: string | URL | RegExp, answer: CallAnswer, options: MockCallOptions = {}): void {
    this.#calls.mock(url, answer, options);
  }

  /**
   * Lets everything happen that is due, without time passing.
   *
   * @example
   * ```ts
   * await t.settle();
   * ```
   */
  settle(): Promise<void> {
    return this.#pump.until({ what: "Rest", isReached: (atRest) => atRest });
  }

  /**
   * Runs code in which the endpoints, and each `Client` without settings of its own, use this engine.
   *
   * @example
   * ```ts
   * const response = await t.inside(() => app.request("/checkout", { method: "POST" }));
   * ```
   */
  inside<Result>(code: () => Result): Result {
    return inScope(this.#surroundings, code);
  }

  /**
   * Runs a workflow once without faults, and then under many schedules of faults, each in an engine of its own, and
   * compares the outcomes: a workflow's result must not depend on crashes, on repeated deliveries, and on the order in
   * which branches end. The steps' work is done each time, unless `setup` mocks it.
   *
   * @throws ChaosError that names the seed, the step, and both histories
   * @example
   * ```ts
   * await t.chaos(order, { id: "1", card: "4242" }, { seeds: 100 });
   * ```
   */
  chaos<Payload>(
    workflow: Invokable<Payload> | string,
    payload: NoInfer<Payload | Jsonify<Payload>>,
    options: ChaosOptions<TestEngine> = {},
  ): Promise<ChaosReport> {
    return compareRuns(async ({ faults, inline }) => {
      const mode = inline ? {} : ({ inline: false } as const);
      const test = new TestEngine({ ...this.#options, ...mode }, { faults });
      const path = new URL(this.#endpoints.urlOf(workflow)).pathname;
      const run = await test.trigger(path, payload, {
        ...options.trigger,
        ...retriesWithFaults(options.trigger),
      });
      await options.setup?.(run, test);
      return { run, close: () => test[Symbol.asyncDispose]() };
    }, options);
  }

  /**
   * Stops the engine. `await using t = await testEngine(…)` does so by itself.
   *
   * @throws Error that names each mock and each fault that the test hasn't used
   * @example
   * ```ts
   * afterEach(() => t.close());
   * ```
   */
  async close(): Promise<void> {
    const unused = (await this.#stop()) ? this.#complaints : [];
    if (unused.length > 0) throw unusedError(unused);
  }

  /**
   * Stops the engine at the end of a block. It throws nothing: the block may have ended with the error of a failed test, which
   * an error from here would hide. Unused mocks and faults have failed the wait for the end of their run.
   *
   * @example
   * ```ts
   * await using t = await testEngine({ workflows: { "/order": order } });
   * ```
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }

  /** @returns false when it was stopped before */
  async #stop(): Promise<boolean> {
    const closing = this.#closing.splice(0);
    for (const step of closing) await step();
    return closing.length > 0;
  }

  /** The mocks and faults that nothing has used. */
  get #complaints(): string[] {
    return [...this.#calls.complaints, ...[...this.#runs.values()].flatMap(({ complaints }) => complaints)];
  }

  /** An ended run leaves its own complaints, and those of the whole test once no run is left. */
  #complaintsAfter(run: RunRecord): string[] {
    const isLast = [...this.#runs.values()].every(({ isOver }) => isOver);
    return isLast ? this.#complaints : run.complaints;
  }

  #addRun(id: string): RunRecord {
    const run = new RunRecord(id, this.#time.now());
    if (this.#hooks.faults) run.faults = this.#hooks.faults;
    this.#runs.set(id, run);
    return run;
  }

  get #parts() {
    const complaintsAfter = (run: RunRecord): string[] => this.#complaintsAfter(run);
    return { engine: this.engine, client: this.client, pump: this.#pump, complaintsAfter };
  }

  /** Lets time pass until a run has ended; does nothing for a run that the test doesn't know. */
  async #untilOver(runId: string): Promise<void> {
    // A run that the client has started itself is known from its first delivery on.
    if (!this.#runs.has(runId)) await this.settle();
    const record = this.#runs.get(runId);
    if (!record) return;
    const isReached = (atRest: boolean) => atRest && record.isOver;
    await this.#pump.until({ what: `The end of the run ${runId}`, isReached });
  }

  async #advance(by: number | Duration): Promise<void> {
    const target = this.#time.now() + toMs(by, "The time to pass");
    const isReached = (atRest: boolean) => atRest && this.#time.now() >= target;
    await this.#pump.until({ what: "The passing of time", target, isReached });
  }

  async #refresh(end: (id: string) => Promise<{ readonly run?: unknown } | undefined>): Promise<void> {
    while (this.#repetitions.size > 0) {
      await Promise.all(this.#repetitions);
      await this.engine.idle();
    }
    for (const record of this.#runs.values()) {
      if (record.isOver) continue;
      record.isOver = (await end(record.id))?.run !== undefined;
      record.info = await this.engine.runs.get(record.id).catch(() => undefined);
    }
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (url.origin !== APP_URL) return this.#calls.answer(request);
    const endpoint = this.#endpoints.at(request.url);
    if (!endpoint) return this.#notFound(url);
    const { kind } = classify(request.headers);
    const delivery = new Delivery(kind, request.headers.get(HEADER.runId) ?? undefined);
    const again = request.clone();
    const run = (it: Request) => this.inside(async () => endpoint(it, this.#options.env));
    const response = await delivery.run(() => run(request));
    await this.#noteFailure(response, delivery);
    if (delivery.isRepeated) this.#repeat(() => new Delivery(kind, delivery.runId).run(() => run(again)));
    return response;
  }

  #notFound({ pathname }: URL): Response {
    const hint = 'The workflows of serveMany need a path such as "/jobs/*".';
    const text = `testEngine serves nothing at ${pathname}. Its paths: ${this.#endpoints.served}. ${hint}`;
    return new Response(text, { status: 404 });
  }

  /** Keeps the error of a failed attempt. A run under faults ends with it, if the workflow takes another way than before. */
  async #noteFailure(response: Response, { kind, runId = "" }: Delivery): Promise<void> {
    const run = this.#runs.get(runId);
    if (!run || kind !== "resume") return;
    const failure = response.ok ? undefined : readFailure(await response.clone().text(), response.status);
    run.lastError = failure?.message;
    if (failure?.where === "replay" && this.#hooks.faults)
      this.#pump.fail(new MismatchError(failure.message));
  }

  /** Delivers a request a second time, once the engine has the first answer. */
  #repeat(deliver: () => Promise<unknown>): void {
    const repetition = letOthersRun(REPEAT_TURNS)
      .then(deliver)
      .then(
        () => {},
        () => {},
      );
    this.#repetitions.add(repetition);
    void repetition.then(() => this.#repetitions.delete(repetition));
  }

  #observe(endpoint: EndpointDefinition): EndpointDefinition {
    const delivery = currentDelivery();
    const runId = delivery?.runId;
    if (!delivery || runId === undefined) return endpoint;
    const run = this.#runs.get(runId) ?? this.#addRun(runId);
    const observed = { run, delivery, now: () => this.#time.now(), changed: () => this.#pump.changed() };
    const { failureFunction, inline } = endpoint;
    const workflow = this.#hooks.replay?.(endpoint) ?? endpoint.workflow;
    const pump = this.#pump;
    return {
      ...endpoint,
      workflow: observeWorkflow(workflow, observed),
      failureFunction: failureFunction && observeFailure(failureFunction, observed),
      inline:
        this.#options.inline === false || inline === false
          ? false
          : {
              maxSteps: inline.maxSteps,
              // The test's time stands still during an invocation. It ends when the test has reached what it waits for.
              get maxDuration() {
                return pump.isPaused ? 0 : Number.POSITIVE_INFINITY;
              },
              maxWait: 0,
            },
    };
  }
}

/**
 * Creates an engine for one test: with a client and the workflows in this process, without a port and a file, and with
 * time that passes by itself. Tests that run at the same time don't share anything.
 *
 * @throws TypeError for a workflow that isn't an endpoint
 * @example
 * ```ts
 * await using t = await testEngine({ workflows: { "/order": order } });
 * const run = await t.trigger(order, { id: "1", card: "4242" });
 * run.mock("charge", { error: new Error("declined"), times: 2 });
 * await run.until({ step: "wait for the van" });
 * const result = await run.result();
 * ```
 */
export async function testEngine(options: TestEngineOptions): Promise<TestEngine> {
  return new TestEngine(options);
}
