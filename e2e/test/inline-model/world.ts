import { AsyncLocalStorage } from "node:async_hooks";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Client, createWorkflow, type RunLog, serveMany, WorkflowNonRetryableError } from "@perdure/core";
import {
  DEV_CREDENTIALS,
  HEADER,
  type HistoryEntry,
  type InlineAnswer,
  type InlineAppend,
} from "@perdure/core/protocol";
import { createEngine, type Engine, type EngineEvent, fetchTransport, type Store } from "@perdure/engine";
import { ON_POSTGRES } from "@perdure/test-support/mode";
import { temporaryFolder } from "@perdure/test-support/process";
import { vi } from "vitest";
import type { Random } from "../support/seed.ts";
import { deleteStore, openStore, Watched } from "../support/stores.ts";
import { DELIVERY_TIMEOUT_MS, type Faults } from "./faults.ts";
import { Ledger, numberOf } from "./ledger.ts";
import { type Actor, type Node, outcomeOf, perform, type StepWork } from "./program.ts";
import { inRealTime, inStubbedTime, JumpyClock, START, stubThreads, stubTime, turns } from "./times.ts";

/** The workflows, by how much of a run one delivery may carry out. */
const ENDPOINTS = {
  inline: {},
  /** Most deliveries hand the run back. */
  short: { inline: { maxSteps: 2, maxWait: 0 } },
  brief: { inline: { maxDuration: "2s", maxWait: 500 } },
  single: { inline: false },
} as const;

/** A run of a random program, with all that has been seen of it. */
export class Run {
  readonly id: string;
  readonly node: Node;
  readonly faults: Faults;
  readonly endpoint: keyof typeof ENDPOINTS;
  readonly violations: string[] = [];
  /** What has happened to it, with the environment variable `TRACE`. */
  readonly trace: string[] = [];
  readonly ledger: Ledger = new Ledger((violation) => this.violations.push(violation));
  readonly executions = new Map<string, number>();
  /** Steps with a rollback that have begun and aren't undone. */
  readonly effects = new Set<string>();
  /** How often its failure function was called. */
  told = 0;
  /** Whether the engine had heard of its endpoint's cancel function before somebody cancelled it. */
  isKnown = false;
  /** How often its cancel function was called. */
  toldOfCancel = 0;
  /** Whether somebody has cancelled it, and then whether the engine has said that it is. */
  cancel: "none" | "asked" | "acknowledged" = "none";
  ends = 0;

  constructor(id: string, node: Node, faults: Faults, endpoint: keyof typeof ENDPOINTS) {
    this.id = id;
    this.node = node;
    this.faults = faults;
    this.endpoint = endpoint;
  }

  get inline(): boolean {
    return this.endpoint !== "single";
  }
}

/** A request of the runtime or the client to the engine. */
interface Sent {
  readonly url: string;
  readonly init: RequestInit;
}

/** One delivery that is at work in a process. */
interface Visit {
  readonly process: Process;
  readonly run: Run | undefined;
  readonly lease: number;
}

/** A process that serves the workflows, until it dies: then nothing of it is heard any more. */
class Process {
  readonly handler: (request: Request) => Promise<Response>;
  readonly dead: Promise<void>;
  alive = true;
  #die: () => void = () => {};

  constructor(handler: (process: Process) => Process["handler"]) {
    this.dead = new Promise((resolve) => {
      this.#die = resolve;
    });
    this.handler = handler(this);
  }

  die(): void {
    this.alive = false;
    this.#die();
  }
}

/** Shows what has happened to a run that fails the test. */
const TRACE = process.env.TRACE !== undefined;
const never = (): Promise<never> => new Promise(() => {});
const visits = new AsyncLocalStorage<Visit>();
const APPEND = "/v2/workflows/append";
/** Linux has a file system in memory here. */
const MEMORY = "/dev/shm";
/** Processes that serve at the same time. */
const PROCESSES = 3;

/**
 * An engine on a file, and processes of this package's runtime, with a network between them that loses, repeats and delays
 * messages, and clocks that are moved when nothing else goes on.
 */
export class World {
  readonly client: Client = new Client({ baseUrl: "http://client.test", token: DEV_CREDENTIALS.token });
  readonly #runs: ReadonlyMap<string, Run>;
  // Nothing dies here that a write to the disk would protect from.
  readonly #folder = temporaryFolder(existsSync(MEMORY) ? MEMORY : undefined);
  readonly #time: ReturnType<typeof stubTime>;
  readonly #clock = new JumpyClock(START);
  readonly #processes: (Process | undefined)[] = [];
  /** The process of each host name. */
  readonly #senders = new Map<string, Process>();
  readonly #notified = new Set<string>();
  #store!: Watched;
  #engine!: Engine;
  /** A fault of the engine itself. It never has one, however much goes wrong around it. */
  #fault: unknown;
  /** Rejects when the engine dies. */
  #lost!: Promise<never>;
  #kill: () => void = () => {};
  #isDead = false;
  /** Counts whatever happens. */
  #activity = 0;

  /** Starts the engine and the processes for these runs. */
  static async start(runs: readonly Run[], random: Random): Promise<World> {
    const world = new World(runs, random);
    await world.#boot();
    return world;
  }

  private constructor(runs: readonly Run[], random: Random) {
    this.#time = stubTime(random);
    this.#runs = new Map(runs.map((run) => [run.id, run]));
    vi.stubGlobal("fetch", (url: string | URL, init: RequestInit = {}) =>
      this.#fetch({ url: String(url), init }),
    );
    stubThreads();
  }

  async #boot(): Promise<void> {
    this.#lost = new Promise((_, reject) => {
      this.#kill = () => reject(new TypeError("fetch failed: the engine died"));
    });
    this.#lost.catch(() => {});
    const lost = this.#lost;
    // Connections to PostgreSQL have the time of the platform.
    const call = ON_POSTGRES ? inRealTime : inStubbedTime;
    this.#store = new Watched(await call(() => this.#open()), call);
    const { token, currentSigningKey: current, nextSigningKey: next } = DEV_CREDENTIALS;
    this.#engine = createEngine({
      store: this.#store.store,
      clock: this.#clock,
      token,
      signingKeys: { current, next },
      search: false,
      timeouts: { delivery: DELIVERY_TIMEOUT_MS },
      transport: fetchTransport(1_000_000, (request) => inStubbedTime(() => this.#deliver(request))),
      onEvent: (event) => {
        // An engine that has died can't store anything.
        if (event.type === "fault" && this.#lost === lost && !this.#isDead) this.#fault ??= event.error;
        inStubbedTime(() => this.#observe(event));
      },
    });
    this.#engine.start();
    this.#isDead = false;
  }

  get #file(): string {
    return join(this.#folder.path, "engine.db");
  }

  async #open(): Promise<Store> {
    return openStore(this.#file, () => this.#clock.now());
  }

  /** The engine dies, with all that it was doing, and another one takes up what it has stored. */
  async crashEngine(): Promise<void> {
    this.#activity++;
    this.#isDead = true;
    this.#kill();
    void this.#engine.stop({ deadline: 0 });
    await this.#store.store.close();
    await this.#boot();
  }

  /** The engine's clock is set, in either direction: leases that end by the clock may have ended then. */
  jump(ms: number): void {
    this.#clock.set(ms);
  }

  /** Lets time pass whenever nothing else goes on, until nothing is left to happen. */
  async drain(eachRound: () => Promise<void> = async () => {}): Promise<void> {
    for (;;) {
      await eachRound();
      await this.#quiet();
      if (this.#fault) throw this.#fault;
      const [endpoint, engine] = [this.#time.clock.untilNext(), this.#clock.untilNext()];
      const wait = Math.min(endpoint, engine);
      if (wait === Number.POSITIVE_INFINITY) {
        await this.#engine.idle();
        if (Math.min(this.#time.clock.untilNext(), this.#clock.untilNext()) === wait) return;
        continue;
      }
      this.#time.clock.advance(wait);
      this.#clock.advance(wait);
    }
  }

  /** Waits until nothing has happened for some turns of the event loop. */
  async #quiet(): Promise<void> {
    for (let quiet = 0; quiet < 20; quiet++) {
      const before = this.#activity;
      await turns(1);
      if (before !== this.#activity || this.#store.isAsked) quiet = 0;
    }
  }

  #trace(run: Run | undefined, what: () => string): void {
    if (TRACE) run?.trace.push(`${this.#clock.now() % 1_000_000} ${what()}`);
  }

  async end(run: Run): Promise<RunLog | undefined> {
    const log = await this.client.runs.get(run.id);
    const query = `ended=true&workflowCreatedAt=${log?.workflowRunCreatedAt}`;
    const url = `http://client.test/v2/workflows/runs/${run.id}?${query}`;
    const headers = { Authorization: `Bearer ${DEV_CREDENTIALS.token}` };
    const answer = await this.#engine.fetch(new Request(url, { headers }));
    if (answer.ok) run.ledger.expectWhole((await answer.json()) as HistoryEntry[]);
    else run.violations.push(`its history is gone: ${answer.status} ${await answer.text()}`);
    return log;
  }

  async stop(): Promise<void> {
    await this.#engine.stop({ deadline: 0 });
    await this.#store.store.close();
    this.#time.restore();
    deleteStore(this.#file);
    this.#folder.remove();
  }

  #observe(event: EngineEvent): void {
    this.#activity++;
    if (event.type === "step.waiting" && event.eventId?.startsWith("notified "))
      void this.#notify(event.eventId);
    const run = "runId" in event ? this.#runs.get(event.runId ?? "") : undefined;
    this.#trace(run, () => `engine: ${JSON.stringify(event)}`);
    const isAnswered = "kind" in event && event.kind === "step" && "status" in event && event.status === 200;
    if (isAnswered && run?.cancel === "none") run.isKnown = true;
    const isEnd =
      event.type === "run.completed" ||
      event.type === "run.canceled" ||
      event.type === "run.expired" ||
      (event.type === "failed" && event.kind === "step");
    if (!run || !isEnd) return;
    run.ends++;
    run.ledger.over = true;
  }

  /** Something goes on in a run, which may be the moment at which somebody cancels it. */
  #happens(run: Run | undefined): void {
    this.#activity++;
    if (run?.faults.isCancelled()) void this.#cancel(run);
  }

  async #cancel(run: Run): Promise<void> {
    await turns(run.faults.turns());
    run.cancel = "asked";
    this.#trace(run, () => "cancel");
    const { cancelled } = await this.client.cancel(run.id);
    this.#trace(run, () => `cancelled: ${cancelled}`);
    if (cancelled > 0) run.cancel = "acknowledged";
  }

  async #notify(eventId: string): Promise<void> {
    if (this.#notified.has(eventId)) return;
    this.#notified.add(eventId);
    await this.client.notify({ eventId, eventData: "come" });
  }

  // From the runtime, or from the client, to the engine.
  async #fetch(request: Sent): Promise<Response> {
    this.#activity++;
    const process = this.#senders.get(new URL(request.url).host);
    const appends: readonly InlineAppend[] = request.url.endsWith(APPEND)
      ? JSON.parse(String(request.init.body)).appends
      : [];
    const [run] =
      appends.length > 0 ? appends.map(({ lease }) => this.#runOf(lease)) : [visits.getStore()?.run];
    if (!process || !run) return this.#ask(request);
    this.#happens(run);
    const { faults } = run;
    const fault = faults.request();
    for (const { lease, ...append } of appends)
      this.#trace(this.#runOf(lease), () => `append (${fault}): ${lease} ${JSON.stringify(append)}`);
    await turns(faults.turns());
    if (fault === "dies before") process.die();
    if (!process.alive) return never();
    if (fault === "lost") throw new TypeError("fetch failed: lost");
    if (fault === "refused") return new Response("no", { status: 503 });
    const send = () => this.#carry(request, appends);
    if (fault === "late") {
      void turns(20 + 10 * faults.turns())
        .then(send)
        .catch(() => {});
      throw new TypeError("fetch failed: late");
    }
    const first = await send();
    const answer = fault === "twice" ? await send() : first;
    if (fault === "dies after") process.die();
    await turns(faults.turns());
    this.#activity++;
    if (!process.alive) return never();
    if (fault === "unanswered") throw new TypeError("fetch failed: unanswered");
    return answer;
  }

  /** Has the engine carry a request out, and compares its answers to appends with what is known. */
  async #carry(request: Sent, appends: readonly InlineAppend[]): Promise<Response> {
    const before = appends.map(({ lease }) => {
      const run = this.#runOf(lease);
      return { lease: run?.ledger.lease ?? 0, over: run?.cancel === "acknowledged" };
    });
    const response = await this.#ask(request);
    if (appends.length === 0 || !response.ok) return response;
    const text = await response.text();
    const { appends: answers } = JSON.parse(text) as { appends: readonly InlineAnswer[] };
    appends.forEach((append, at) => {
      const [answer, { lease, over } = { lease: 0, over: false }] = [answers[at], before[at]];
      const run = this.#runOf(append.lease);
      this.#trace(run, () => `answered: ${JSON.stringify(answer)}`);
      if (answer) run?.ledger.appended(append, answer, lease);
      if (run && answer && "news" in answer) run.isKnown = true;
      if (over && answer && "news" in answer)
        run?.violations.push("the engine took an append after it had cancelled the run");
    });
    return new Response(text, response);
  }

  #ask({ url, init }: Sent): Promise<Response> {
    return Promise.race([this.#engine.fetch(new Request(url, init)), this.#lost]);
  }

  #runOf(lease: string): Run | undefined {
    return this.#runs.get(lease.split(".").slice(2).join("."));
  }

  // From the engine to an endpoint.
  async #deliver(request: Request): Promise<Response> {
    this.#activity++;
    if (request.url.startsWith("https://third.test")) return Response.json("called");
    const { headers } = request;
    const run = this.#runs.get(headers.get(HEADER.runId) ?? "");
    this.#happens(run);
    const faults = run?.faults;
    const fault = faults?.delivery() ?? "none";
    this.#trace(run, () => `delivery (${fault}): ${headers.get(HEADER.lease)}`);
    await turns(faults?.turns() ?? 0);
    if (fault === "lost") throw new TypeError("connection refused");
    const process = this.#processOf(run);
    if (fault === "twice") void this.#answer(request.clone(), process, run, false).catch(() => {});
    const isTold = fault === "cut and told" || (faults?.chance(0.5) ?? false);
    const answering = this.#answer(request, process, run, isTold);
    if (fault === "dies before") process.die();
    if (fault === "dies") void turns(10 * (faults?.turns() ?? 0)).then(() => process.die());
    const cut = fault.startsWith("cut") ? turns(10 * (faults?.turns() ?? 0)) : never();
    const timeout = new Promise<void>((resolve) => request.signal.addEventListener("abort", () => resolve()));
    const reset = Promise.race([process.dead, cut, timeout]).then(() => {
      throw new TypeError("connection reset");
    });
    const answer = await Promise.race([answering, reset]);
    this.#trace(run, () => `answer: ${answer.status}`);
    await turns(faults?.turns() ?? 0);
    this.#activity++;
    if (fault === "hangs") return never();
    if (fault === "unanswered") throw new TypeError("connection reset: unanswered");
    return answer;
  }

  async #answer(request: Request, process: Process, run: Run | undefined, told: boolean): Promise<Response> {
    const { url, method, headers } = request;
    const body = await request.text();
    const lease = headers.get(HEADER.lease) ?? "";
    if (lease) run?.ledger.delivered(lease, JSON.parse(body) as HistoryEntry[]);
    const visit = { process, run, lease: numberOf(lease) || 0 };
    const signal = told ? request.signal : null;
    const bare = new Request(url, { method, headers, body, signal });
    const answer = await visits.run(visit, () => process.handler(bare));
    return process.alive ? answer : never();
  }

  #processOf(run: Run | undefined): Process {
    const place = run ? [...run.id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % PROCESSES : 0;
    const current = this.#processes[place];
    if (current?.alive) return current;
    const host = `process-${place}-${this.#senders.size}.test`;
    const process = new Process((self) => this.#serve(self, host));
    this.#processes[place] = process;
    this.#senders.set(host, process);
    return process;
  }

  #serve(process: Process, host: string): Process["handler"] {
    const child = createWorkflow(async (context: { requestPayload: { fails: boolean } }) => {
      if (context.requestPayload.fails) throw new WorkflowNonRetryableError("the child fails");
      return "child";
    }) as Actor["child"];
    const serveAs = (endpoint: keyof typeof ENDPOINTS) =>
      createWorkflow((context) => {
        const run = this.#runs.get(context.workflowRunId);
        const visit = visits.getStore();
        if (!run || !visit) throw new Error(`There is no run ${context.workflowRunId}.`);
        return perform(context, run.node, this.#actor(run, visit, child));
      }, ENDPOINTS[endpoint]);
    const { handler } = serveMany(
      {
        inline: serveAs("inline"),
        short: serveAs("short"),
        brief: serveAs("brief"),
        single: serveAs("single"),
        child,
      },
      {
        env: { QSTASH_URL: `http://${host}`, QSTASH_TOKEN: DEV_CREDENTIALS.token },
        verify: "off",
        failureFunction: ({ context }) => {
          const run = this.#runs.get(context.workflowRunId);
          if (run && process.alive) run.told++;
        },
        rollbackOnCancel: true,
        cancelFunction: ({ context }) => {
          const run = this.#runs.get(context.workflowRunId);
          if (run && process.alive) run.toldOfCancel++;
        },
      },
    );
    return handler;
  }

  #actor(run: Run, { process, lease }: Visit, child: Actor["child"]): Actor {
    const seen: string[] = [];
    const isCurrent = () => lease === run.ledger.lease && !run.ledger.over;
    return {
      child,
      inline: run.inline,
      see: (value) => void seen.push(value),
      work: async (step) => {
        this.#activity++;
        if (!process.alive) return never();
        this.#begin(run, step, seen, isCurrent());
        const execution = (run.executions.get(step.path) ?? 0) + 1;
        run.executions.set(step.path, execution);
        await turns(run.faults.turns());
        if (process.alive && run.faults.dies()) process.die();
        const duration = run.faults.duration();
        if (duration > 0) await new Promise((resolve) => setTimeout(resolve, duration));
        this.#happens(run);
        return process.alive ? outcomeOf(step, execution) : never();
      },
      undo: async (path) => {
        this.#activity++;
        if (!process.alive) return never();
        run.effects.delete(path);
        await turns(run.faults.turns());
      },
    };
  }

  #begin(run: Run, { path, node }: StepWork, seen: readonly string[], current: boolean): void {
    const report = (violation: string): void => void run.violations.push(violation);
    if (node.once && run.inline && run.executions.has(path))
      report(`${path} is begun twice, though at most once`);
    if (!run.inline) return;
    for (const value of seen)
      if (!run.ledger.has(value)) report(`${path} is begun before "${value}" is on disk`);
    if (!current) return;
    if (run.ledger.isFinished(path)) report(`${path} is begun again, though its result is on disk`);
    if (node.rollback) run.effects.add(path);
  }
}
