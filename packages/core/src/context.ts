import type { Client } from "@upstash/qstash";
import type { Env } from "./border/settings.ts";
import type { Duration } from "./kernel/duration.ts";
import { run, type Step, sleep, sleepUntil } from "./steps/index.ts";

/** What is known of a run, in the workflow and in its failure function. */
export interface RunContext<Payload = unknown> {
  /** What the run was started with, after the schema or the parser. */
  readonly requestPayload: Payload;
  /** The delivery's headers, without the protocol's own: those that the run was started with are among them. */
  readonly headers: Headers;
  /** The workflow's URL, as the engine calls it. */
  readonly url: string;
  readonly env: Env;
  readonly workflowRunId: string;
  /** Milliseconds since 1970; 0 when the engine doesn't tell. */
  readonly workflowRunCreatedAt: number;
  readonly labels: readonly string[];
  /** The first label. */
  readonly label: string | undefined;
  /** Earlier attempts to make this delivery. */
  readonly retried: number;
  /** The client that the run itself uses. */
  readonly qstashClient: Client;
}

/** Asks for a step: its promise settles once the step's result is on record, and never otherwise. */
export type RequestStep = <Result>(step: Step<Result>) => Promise<Result>;

/** A workflow's view of its run. Every step is recorded under its name; a recorded one isn't run again. */
export class WorkflowContext<Payload = unknown> implements RunContext<Payload> {
  readonly requestPayload: Payload;
  readonly headers: Headers;
  readonly url: string;
  readonly env: Env;
  readonly workflowRunId: string;
  readonly workflowRunCreatedAt: number;
  readonly labels: readonly string[];
  readonly label: string | undefined;
  readonly retried: number;
  readonly #facts: RunContext<Payload>;
  readonly #request: RequestStep;

  constructor(facts: RunContext<Payload>, request: RequestStep) {
    this.requestPayload = facts.requestPayload;
    this.headers = facts.headers;
    this.url = facts.url;
    this.env = facts.env;
    this.workflowRunId = facts.workflowRunId;
    this.workflowRunCreatedAt = facts.workflowRunCreatedAt;
    this.labels = facts.labels;
    this.label = facts.label;
    this.retried = facts.retried;
    this.#facts = facts;
    this.#request = request;
  }

  get qstashClient(): Client {
    return this.#facts.qstashClient;
  }

  /**
   * Runs `work` once and records what it returns, as JSON. If it throws, the delivery is retried, and `work` with it.
   *
   * @param name unlike the names of the other steps, or used in the same order each time
   * @returns the recorded result: a `Date` has become a text, `undefined` stays
   */
  run<Result>(name: string, work: () => Result | Promise<Result>): Promise<Result> {
    return this.#ask(() => run(name, work));
  }

  /** Rests for seconds or a duration such as `"2h"`. Nothing runs, and nothing is held, meanwhile. */
  sleep(name: string, duration: number | Duration): Promise<void> {
    return this.#ask(() => sleep(name, duration));
  }

  /** Rests until a `Date`, a date as text, or a Unix time in seconds. */
  sleepUntil(name: string, moment: Date | string | number): Promise<void> {
    return this.#ask(() => sleepUntil(name, moment));
  }

  #ask<Result>(make: () => Step<Result>): Promise<Result> {
    try {
      return this.#request(make());
    } catch (misuse) {
      return Promise.reject(misuse);
    }
  }
}
