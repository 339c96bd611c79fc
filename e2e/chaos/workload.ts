import { setTimeout as rest } from "node:timers/promises";
import { Client, type RunLog, type StepLog } from "@perdure/core";
import type { Random } from "../test/support/seed.ts";
import { type Event, type FinalRun, type RunView, readHistory, type What } from "./history.ts";
import { Lanes } from "./lanes.ts";
import { eventOf, leavesOf, makeProgram, type Program, RETRIES, TIMED_OUT } from "./program.ts";
import { Requests, send } from "./requests.ts";
import { type System, TOKEN } from "./system.ts";

/** Milliseconds between looks at a run, and between sendings of an event: the first pause, and the longest. */
const PAUSE_MS = { first: 400, longest: 3000 };

/** Runs that are live at once, at most. */
const MAX_LIVE = 60;

/** Milliseconds after which a run that hasn't ended never will, and a message that hasn't arrived. */
const PATIENCE_MS = 300_000;

const TERMINAL: ReadonlySet<string> = new Set(["RUN_SUCCESS", "RUN_FAILED", "RUN_CANCELED"]);

export interface WorkloadOptions {
  readonly system: System;
  readonly random: Random;
  readonly write: (what: What) => void;
  readonly runs: number;
  /** The file of the workload's own history. */
  readonly own: string;
  /** The file of the endpoint's history. */
  readonly endpointHistory: string;
  /** Milliseconds in which the runs begin; longer where the system is too slow for it. */
  readonly duration: number;
  /** Called as runs begin and end. */
  readonly onProgress: (progress: Progress) => void;
}

/** Numbers of runs. */
export interface Progress {
  readonly begun: number;
  readonly ended: number;
}

/** One run of the workload, decided before it begins. */
interface Plan {
  readonly id: string;
  readonly program: Program;
  /** Milliseconds after the beginning of the workload. */
  readonly at: number;
  /** Milliseconds after the run's trigger; `undefined` for a run that nobody cancels. */
  readonly cancelAfter: number | undefined;
  /** A message that is published beside it. */
  readonly message: string | undefined;
}

/** Starts runs, sends them events, cancels some, and waits for their ends. */
export class Workload {
  readonly #options: WorkloadOptions;
  readonly #client: Client;
  readonly #requests: Requests;
  #begun = 0;
  #ended = 0;
  /** Runs that wait for another one's end. */
  readonly #waiting: (() => void)[] = [];

  constructor(options: WorkloadOptions) {
    this.#options = options;
    // The client repeats a request without an answer by itself.
    const retry = { retries: 100, backoff: (count: number) => Math.min(100 * 2 ** count, 1000) };
    this.#client = new Client({ baseUrl: options.system.url, token: TOKEN, retry });
    this.#requests = new Requests(options.write);
  }

  async run(): Promise<void> {
    const { runs, random, duration } = this.#options;
    const plans = Array.from(
      { length: runs },
      (_, at): Plan => ({
        id: `wfr_chaos-${at}`,
        program: makeProgram(random),
        at: (duration * at) / runs,
        cancelAfter: random.next() < 0.05 ? 2000 * random.next() : undefined,
        message: random.next() < 0.3 ? `message-${at}` : undefined,
      }),
    );
    const { system, write } = this.#options;
    const messages = Math.ceil(runs / 4);
    const lanes = new Lanes({ system, write, requests: this.#requests, messages, duration });
    await Promise.all([lanes.run(), ...plans.map((plan) => this.#perform(plan))]);
    await lanes.finish();
    await this.#arrivals();
    for (const { id } of plans) await this.#recordFinal(id);
  }

  /** Waits until all messages have arrived. */
  async #arrivals(): Promise<void> {
    const { own, endpointHistory } = this.#options;
    const expected = readHistory([own]).flatMap(expectedOf);
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      const arrived = new Set(readHistory([endpointHistory]).flatMap(arrivedIn));
      if (expected.every((message) => arrived.has(message)) || performance.now() > until) return;
      await rest(PAUSE_MS.first);
    }
  }

  async #perform(plan: Plan): Promise<void> {
    await rest(plan.at);
    if (this.#begun - this.#ended >= MAX_LIVE)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#count({ begun: 1, ended: 0 });
    await Promise.all([this.#trigger(plan), this.#publish(plan.message)]);
    const over = new AbortController();
    await Promise.all([
      this.#watch(plan.id).finally(() => over.abort()),
      this.#cancel(plan),
      this.#sendEvents(plan, over.signal),
    ]);
    this.#count({ begun: 0, ended: 1 });
    this.#waiting.shift()?.();
  }

  #count({ begun, ended }: Progress): void {
    this.#begun += begun;
    this.#ended += ended;
    this.#options.onProgress({ begun: this.#begun, ended: this.#ended });
  }

  async #trigger({ id, program }: Plan): Promise<void> {
    const { endpointUrl } = this.#options.system;
    const options = {
      url: `${endpointUrl}/main`,
      body: program,
      workflowRunId: id.slice("wfr_".length),
      ...RETRIES,
    };
    for (;;) {
      const call = { name: "trigger", run: id, program } as const;
      const answer = await this.#requests.ask(call, async () => {
        await this.#client.trigger(options);
        return { ok: true };
      });
      // An engine that can't store anything says so, and may have stored the run nevertheless.
      if (answer.ok || (await this.#read(id))) return;
      await rest(200);
    }
  }

  async #publish(message: string | undefined): Promise<void> {
    if (message === undefined) return;
    const { url, endpointUrl } = this.#options.system;
    const headers = {
      "Upstash-Retries": String(RETRIES.retries),
      "Upstash-Retry-Delay": RETRIES.retryDelay,
      "Upstash-Deduplication-Id": message,
    };
    await this.#requests.insist({ name: "publish", message }, () =>
      send(`${url}/v2/publish/${endpointUrl}/message/${message}`, { headers }),
    );
  }

  async #cancel({ id, cancelAfter }: Plan): Promise<void> {
    if (cancelAfter === undefined) return;
    await rest(cancelAfter);
    await this.#requests.ask({ name: "cancel", run: id }, async () => {
      const { cancelled } = await this.#client.cancel(id);
      return { ok: true, cancelled };
    });
  }

  /** Sends each event until a step got it. */
  async #sendEvents({ id, program }: Plan, over: AbortSignal): Promise<void> {
    const awaited = leavesOf(program).filter(([, leaf]) => leaf.kind === "event" && leaf.notified);
    await Promise.all(
      awaited.map(async ([step]) => {
        for (const pause of pauses()) {
          if (over.aborted) return;
          const data = `data ${this.#requests.ops}`;
          const answer = await this.#requests.ask({ name: "notify", run: id, step, data }, async () => {
            const waiters = await this.#client.notify({ eventId: eventOf(id, step), eventData: data });
            return { ok: true, waiters: waiters.length };
          });
          if (answer.ok && answer.waiters) return;
          await rest(pause);
        }
      }),
    );
  }

  /** Looks at a run until it has ended, and its failure function has run. */
  async #watch(id: string): Promise<void> {
    const until = performance.now() + PATIENCE_MS;
    for (const pause of pauses()) {
      const log = await this.#read(id);
      const reporting = log?.failureFunction?.state === "CALLBACK_INPROGRESS";
      const unreported = log?.workflowState === "RUN_FAILED" && !log.failureFunction;
      if (log && TERMINAL.has(log.workflowState) && !reporting && !unreported) return;
      if (performance.now() > until) return;
      await rest(pause);
    }
  }

  async #read(id: string): Promise<RunLog | undefined> {
    let found: RunLog | undefined;
    await this.#requests.ask({ name: "read", run: id }, async () => {
      const { runs } = await this.#client.logs({ filter: { workflowRunId: id } });
      [found] = runs;
      return found ? { ok: true, view: viewOf(found) } : { ok: true };
    });
    return found;
  }

  async #recordFinal(id: string): Promise<void> {
    const { runs } = await this.#client.logs({ filter: { workflowRunId: id } });
    const [run] = runs;
    if (!run) return;
    const { messages } = await this.#client.dlq.list({ filter: { workflowRunId: id } });
    const steps = run.steps.flatMap((group) => (group.type === "next" ? [] : group.steps));
    const log: FinalRun = {
      ...viewOf(run),
      failureFunction: run.failureFunction?.state,
      results: Object.fromEntries(
        steps.flatMap((step) => resultOf(step).map((value) => [step.stepName, value])),
      ),
      deadLetters: messages.length,
      runs: runs.length,
    };
    this.#options.write({ e: "final", run: id, log });
  }
}

/** Pauses that grow: most looks would see nothing new. */
function* pauses(): Generator<number> {
  for (let pause = PAUSE_MS.first; ; pause = Math.min(1.4 * pause, PAUSE_MS.longest)) yield pause;
}

/** The value that the workflow gets of a recorded step; none for a step without a result. */
function resultOf({ stepType, out, waitTimeout }: StepLog): string[] {
  if (waitTimeout) return [TIMED_OUT];
  if (typeof out !== "string") return [];
  switch (stepType) {
    case "Wait":
      return [Buffer.from(out, "base64").toString()];
    case "Call": {
      const { status, body } = JSON.parse(out);
      return [`${status} ${JSON.parse(body)}`];
    }
    case "Invoke":
      return [JSON.parse(out).isFailed ? "child failed" : "child"];
    default:
      return [JSON.parse(out)];
  }
}

function viewOf({ workflowState, workflowRunResponse, workflowRunCreatedAt }: RunLog): RunView {
  return { state: workflowState, result: workflowRunResponse, createdAt: workflowRunCreatedAt };
}

/** The messages that must arrive. */
function expectedOf(event: Event): string[] {
  if (event.e === "ticks") return event.ticks.map(({ message }) => message);
  return event.e === "call" && event.call.name === "publish" ? [event.call.message] : [];
}

function arrivedIn(event: Event): string[] {
  const isArrival = event.e === "message" || event.e === "tick" || (event.e === "end" && event.ok);
  return isArrival ? [event.message] : [];
}
