import { HEADER } from "@perdure/core/protocol";
import { sampled } from "@perdure/test-support/sample";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crash, useMachine } from "../crashing.ts";
import { type Call, failed, ok, type World } from "../harness.ts";

/** What becomes of a message: how often it fails, whether that is reported, and how often the report fails. */
interface Fate {
  readonly failures: number;
  readonly retries: number;
  readonly report: number | undefined;
  readonly delay: number;
}

/** What is done to the engine between two deliveries. */
type Turn = "go on" | "crash" | "pause" | "resume" | "cancel";

const fate: fc.Arbitrary<Fate> = fc.record({
  failures: fc.nat({ max: 3 }),
  retries: fc.nat({ max: 2 }),
  report: fc.option(fc.nat({ max: 2 }), { nil: undefined }),
  delay: fc.constantFrom(0, 0, 0, 30),
});
const turn: fc.Arbitrary<Turn> = fc.constantFrom(
  "go on",
  "go on",
  "go on",
  "crash",
  "pause",
  "resume",
  "resume",
  "cancel",
);

const REPORT = "https://report.test/";

/** How far an engine gets before it crashes: another way each time. */
const turnsOf = (fates: readonly Fate[]): number =>
  fates.reduce((sum, { failures }) => sum + failures, 0) % 5;

/** The number of the message that a delivery is of, or reports. */
const numberOf = ({ url }: Call): number => Number(url.slice(url.lastIndexOf("/") + 1));

describe("a queue, whatever fails, is cancelled or crashes", () => {
  const machine = useMachine();

  it.each(sampled([1, 2, 3], 3))("begins in order and has at most %i on their way", async (parallelism) => {
    let file = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fate, { minLength: 1, maxLength: 8 }),
        fc.array(turn, { maxLength: 25 }),
        async (fates, turns) => {
          const db = `${machine().file}-${parallelism}-${file++}`;
          const play = new Play(fates, parallelism);
          let w = machine().boot(play.endpoint, db);
          await play.begin(w);
          for (const next of turns) {
            if (next === "crash") {
              await w.engine.idle();
              w.clock.advanceToNext();
              for (let at = 0; at < turnsOf(fates); at++) await new Promise(setImmediate);
              await crash(w);
              w = machine().boot(play.endpoint, db);
            } else await play.turn(w, next);
          }
          await w.ask("POST", "/v2/queues/q/resume");
          await w.drain();
          play.check(w);
          expect((await w.ask("GET", "/v2/queues/q")).body).toMatchObject({ lag: 0 });
          await crash(w);
        },
      ),
      { seed: 42, numRuns: 15 },
    );
  });
});

/** One course of things, and what was seen of it. */
class Play {
  readonly #fates: readonly Fate[];
  readonly #parallelism: number;
  readonly #ids: string[] = [];
  readonly #cancelled = new Set<number>();
  readonly #attempts: number[];
  /** Messages in the order of their first attempts. */
  readonly begun: number[] = [];
  /** Those that aren't at their end, their reports with them. */
  readonly #onTheirWay = new Set<number>();
  readonly #ended = new Set<number>();
  readonly #faults: string[] = [];

  constructor(fates: readonly Fate[], parallelism: number) {
    this.#fates = fates;
    this.#parallelism = parallelism;
    this.#attempts = fates.map(() => 0);
  }

  async begin(w: World): Promise<void> {
    await w.ask("POST", "/v2/queues", {
      body: JSON.stringify({ queueName: "q", parallelism: this.#parallelism, paused: true }),
    });
    for (const [at, { retries, report, delay }] of this.#fates.entries()) {
      const headers = {
        [HEADER.retries]: String(retries),
        [HEADER.retryDelay]: "20000",
        [HEADER.delay]: String(delay),
        ...(report === undefined
          ? {}
          : {
              [HEADER.failureCallback]: `${REPORT}${at}`,
              "Upstash-Failure-Callback-Retries": "1",
              "Upstash-Failure-Callback-Retry-Delay": "20000",
            }),
      };
      const { body } = await w.ask("POST", `/v2/enqueue/q/https://a.test/${at}`, { headers });
      this.#ids.push(body.messageId);
    }
    await w.ask("POST", "/v2/queues/q/resume");
  }

  readonly endpoint = (call: Call): Response =>
    call.url.startsWith(REPORT) ? this.#report(call) : this.#message(call);

  async turn(w: World, next: Exclude<Turn, "crash">): Promise<void> {
    if (next === "go on") {
      await w.engine.idle();
      w.clock.advanceToNext();
    } else if (next === "cancel") {
      const at = this.#ids.findIndex((_, at) => !this.#cancelled.has(at) && this.#attempts[at] === 0);
      if (at < 0) return;
      await w.engine.idle();
      if (this.#attempts[at] !== 0) return;
      this.#cancelled.add(at);
      await w.ask("DELETE", `/v2/messages/${this.#ids[at]}`);
    } else {
      await w.engine.idle();
      await w.ask("POST", `/v2/queues/q/${next}`);
    }
    await w.engine.idle();
  }

  check(w: World): void {
    expect(this.#faults).toEqual([]);
    const expected = this.#fates.map((_, at) => at).filter((at) => !this.#cancelled.has(at));
    expect([...this.begun].sort((a, b) => a - b)).toEqual(expected);
    expect(w.events.filter(({ type }) => type === "fault")).toEqual([]);
  }

  #message(call: Call): Response {
    const at = numberOf(call);
    if (this.#attempts[at] === 0) this.#begin(at);
    this.#attempts[at] = (this.#attempts[at] ?? 0) + 1;
    this.#attempt(at);
    const { failures, retries, report } = this.#fates[at] as Fate;
    const retried = Number(call.headers.get(HEADER.retried));
    const good = retried >= failures;
    if (good || (retried >= retries && report === undefined)) this.#end(at);
    return good ? ok() : failed(500, "x");
  }

  #report(call: Call): Response {
    const at = numberOf(call);
    this.#attempt(at);
    const { report = 0 } = this.#fates[at] as Fate;
    const retried = Number(call.headers.get(HEADER.retried));
    if (retried >= report || retried >= 1) this.#end(at);
    return retried >= report ? ok() : failed(500, "x");
  }

  /** Nobody begins before there is a place, and those that came earlier have the places. */
  #begin(at: number): void {
    const before = this.#fates.map((_, one) => one).slice(0, at);
    const ahead = before.filter((one) => !this.#ended.has(one) && !this.#cancelled.has(one));
    if (ahead.length >= this.#parallelism) this.#faults.push(`${at} began before ${ahead}`);
    this.begun.push(at);
  }

  #end(at: number): void {
    this.#onTheirWay.delete(at);
    this.#ended.add(at);
  }

  #attempt(at: number): void {
    this.#onTheirWay.add(at);
    if (this.#onTheirWay.size > this.#parallelism) {
      this.#faults.push(`at once: ${[...this.#onTheirWay]}`);
    }
  }
}
