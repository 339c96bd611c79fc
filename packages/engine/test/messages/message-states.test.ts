import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HEADER } from "@perdure/core/protocol";
import { sampled } from "@perdure/test-support/sample";
import fc from "fast-check";
import { expect, it } from "vitest";
import { ManualClock } from "../../src/index.ts";
import type { LogState } from "../../src/rules/log.ts";
import { crash, never } from "../crashing.ts";
import { type Answer, type Endpoint, failed, ok, START, type World, world } from "../harness.ts";
import { deleteTestStore } from "../stores.ts";

/** What may follow what. */
const NEXT: Record<LogState, readonly LogState[]> = {
  CREATED: ["ACTIVE", "CANCEL_REQUESTED"],
  // An attempt that nobody knows the outcome of is made again.
  ACTIVE: ["DELIVERED", "ERROR", "CANCEL_REQUESTED", "ACTIVE"],
  ERROR: ["RETRY", "FAILED"],
  RETRY: ["ACTIVE", "CANCEL_REQUESTED"],
  CANCEL_REQUESTED: ["CANCELLED"],
  CANCELLED: [],
  DELIVERED: [],
  FAILED: [],
};

/** How a message fares: attempts that fail before one succeeds, and whether its first one never ends. */
interface Fate {
  readonly failures: number;
  readonly hangs: boolean;
}

/** What was acknowledged of a message. */
interface Known extends Fate {
  readonly retries: number;
  canceled: boolean;
  /** Its entry was taken out of the dead letter queue. */
  gone: boolean;
}

type Model = Map<string, Known>;

/** The engines of one machine, one after the other. */
class Machine {
  readonly #folder = mkdtempSync(join(tmpdir(), "perdure-"));
  readonly #clock = new ManualClock(START);
  readonly #hung = new Set<string>();
  /** What should not have been. */
  readonly faults: string[] = [];
  deaths = 0;
  mended = false;

  #boot(): World {
    return world(this.#endpoint, {
      file: join(this.#folder, "engine.db"),
      clock: this.#clock,
      timeouts: { delivery: 86_400_000 },
      onEvent: (event) => {
        if (event.type === "fault" && !String(event.error).includes("closed"))
          this.faults.push(String(event.error));
      },
    });
  }

  readonly #endpoint: Endpoint = async (call, self) => {
    const id = call.headers.get(HEADER.messageId) ?? "";
    const { items } = await self.store.logs({ messageIds: [id], count: 3 });
    // One that had begun when it was taken back may be under way still.
    const [last, , before] = items.map(({ state }) => state);
    if ((last === "CANCELLED" ? before : last) !== "ACTIVE")
      this.faults.push(`${id} was delivered while ${last}`);
    const fate = JSON.parse(call.headers.get("x-fate") ?? "") as Fate;
    if (fate.hangs && !this.mended && !this.#hung.has(id)) {
      this.#hung.add(id);
      return never();
    }
    return Number(call.headers.get(HEADER.retried)) < fate.failures ? failed(500, "boom") : ok();
  };

  w: World = this.#boot();

  async kill(): Promise<void> {
    await crash(this.w);
    this.deaths++;
    this.w = this.#boot();
  }

  async stop(): Promise<void> {
    await this.w.engine.stop({ deadline: 0 });
    await this.w.store.close();
    this.deaths++;
    this.w = this.#boot();
  }

  async pass(ms: number): Promise<void> {
    const until = this.#clock.now() + ms;
    for (let next = this.#clock.next(); next !== undefined && next <= until; next = this.#clock.next()) {
      await this.settle();
      this.#clock.advance(Math.max(0, next - this.#clock.now()));
    }
    this.#clock.advance(until - this.#clock.now());
    await this.settle();
  }

  /** Lets what can come to its end do so: not what hangs. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** What the log tells of each message, in its order. */
  async logs(): Promise<Map<string, LogState[]>> {
    const states = new Map<string, LogState[]>();
    let cursor: string | undefined = "";
    while (cursor !== undefined) {
      const { body } = await this.w.ask("GET", `/v2/events?order=earliestFirst&count=1000&cursor=${cursor}`);
      for (const { messageId, state } of body.events as Answer["body"][]) {
        states.set(messageId, [...(states.get(messageId) ?? []), state]);
      }
      cursor = body.cursor;
    }
    return states;
  }

  async end(): Promise<void> {
    await crash(this.w);
    deleteTestStore(join(this.#folder, "engine.db"));
    rmSync(this.#folder, { recursive: true });
  }
}

async function publish(
  model: Model,
  { w }: Machine,
  fate: Fate,
  retries: number,
  delay: number,
): Promise<void> {
  const { body, status } = await w.ask("POST", "/v2/publish/https://a.test/", {
    headers: {
      "Upstash-Forward-X-Fate": JSON.stringify(fate),
      [HEADER.retries]: String(retries),
      [HEADER.retryDelay]: "1000",
      [HEADER.delay]: `${delay}s`,
    },
  });
  expect(status).toBe(200);
  model.set(body.messageId, { ...fate, retries, canceled: false, gone: false });
}

const pick = (model: Model, at: number): string => [...model.keys()][at % model.size] ?? "";

/** Reads of the log and of the dead letters: no more messages of a script fail, one between each two reads. */
const MAX_READS = 1000;

async function check(model: Model, machine: Machine): Promise<void> {
  let differing = await differences(model, machine);
  // The log and the dead letters are two questions, and a message may fail between them.
  for (let reads = 1; differing.length > 0 && reads < MAX_READS; reads++)
    differing = await differences(model, machine);
  expect(differing).toEqual([]);
}

/** Checks the log, and returns the messages that are failed only there, or only among the dead letters. */
async function differences(model: Model, machine: Machine): Promise<string[]> {
  await machine.settle();
  expect(machine.faults).toEqual([]);
  const dead = new Set<string>();
  const logs = await machine.logs();
  expect([...logs.keys()].sort()).toEqual([...model.keys()].sort());
  for (const [id, known] of model) {
    const states = logs.get(id) ?? [];
    expect(states[0]).toBe("CREATED");
    for (const [at, state] of states.slice(1).entries()) {
      expect({ id, states, allowed: NEXT[states[at] as LogState] }).toMatchObject({
        allowed: expect.arrayContaining([state]),
      });
    }
    const repeated = states.filter((state, at) => state === "ACTIVE" && states[at - 1] === "ACTIVE").length;
    expect(repeated).toBeLessThanOrEqual(machine.deaths);
    if (states.at(-1) === "FAILED" && !known.gone) dead.add(id);
    expect(states.includes("CANCELLED")).toBe(known.canceled);
  }
  const letters = new Set<string>((await machine.w.deadLetters()).map(({ messageId }) => messageId));
  return [...dead, ...letters].filter((id) => dead.has(id) !== letters.has(id));
}

type Command = fc.AsyncCommand<Model, Machine>;

function command(
  name: string,
  run: (model: Model, machine: Machine) => Promise<void>,
  needsMessages = true,
): Command {
  return {
    check: (model) => !needsMessages || model.size > 0,
    run: async (model, machine) => {
      await run(model, machine);
      await check(model, machine);
    },
    toString: () => name,
  };
}

const fate = fc.record({ failures: fc.nat(3), hangs: fc.boolean() });
const seconds = fc.nat(4);

/** Sends one again, from now on without a failure, and says what it is called now. */
async function retry(model: Model, machine: Machine, at: number): Promise<void> {
  const letters = await machine.w.deadLetters();
  const letter = letters[at % letters.length];
  if (!letter) return;
  const better: Fate = { failures: 0, hangs: false };
  const { body, status } = await machine.w.ask("POST", `/v2/dlq/retry/${letter.dlqId}`, {
    headers: { "Upstash-Forward-X-Fate": JSON.stringify(better) },
  });
  expect(status).toBe(201);
  const old = model.get(letter.messageId) as Known;
  old.gone = true;
  model.set(body.messageId, { ...better, retries: old.retries, canceled: false, gone: false });
}

const commands: fc.Arbitrary<Command>[] = [
  fc
    .tuple(fate, fc.nat(2), seconds)
    .map(([of, retries, delay]) =>
      command(
        `publish(${JSON.stringify(of)}, ${retries}, ${delay})`,
        (model, machine) => publish(model, machine, of, retries, delay),
        false,
      ),
    ),
  seconds.map((s) => command(`pass(${s})`, (_, machine) => machine.pass(s * 1000))),
  fc.nat(20).map((at) =>
    command(`cancel(${at})`, async (model, { w }) => {
      const id = pick(model, at);
      const { status } = await w.ask("DELETE", `/v2/messages/${id}`);
      const known = model.get(id) as Known;
      if (status === 200) known.canceled = true;
      else expect(status).toBe(404);
    }),
  ),
  fc.nat(5).map((at) => command(`retry(${at})`, (model, machine) => retry(model, machine, at))),
  fc.nat(5).map((at) =>
    command(`remove(${at})`, async (model, { w }) => {
      const letters = await w.deadLetters();
      const letter = letters[at % letters.length];
      if (!letter) return;
      expect((await w.ask("DELETE", `/v2/dlq/${letter.dlqId}`)).status).toBe(200);
      (model.get(letter.messageId) as Known).gone = true;
    }),
  ),
  fc.constant(command("kill", async (_, machine) => machine.kill(), false)),
  fc.constant(command("stop", (_, machine) => machine.stop(), false)),
];

/** What a message comes to when nothing holds it up any more. */
function outcome({ canceled, failures, retries }: Known): LogState {
  if (canceled) return "CANCELLED";
  return failures > retries ? "FAILED" : "DELIVERED";
}

it.each(sampled([1, 2, 3], 3))(
  "messages keep to the states that there are, whatever happens: nothing is lost, nothing comes after its end (seed %d)",
  async (seed) => {
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 30, size: "max" }), async (script) => {
        const machine = new Machine();
        const model: Model = new Map();
        try {
          await fc.asyncModelRun(() => ({ model, real: machine }), script);
          machine.mended = true;
          await machine.kill();
          await machine.w.drain();
          await check(model, machine);
          const logs = await machine.logs();
          for (const [id, known] of model) {
            const states = logs.get(id) ?? [];
            expect({ id, known, last: states.at(-1) }).toEqual({ id, known, last: outcome(known) });
            const errors = states.filter((state) => state === "ERROR").length;
            if (!known.canceled) expect(errors).toBe(Math.min(known.failures, known.retries + 1));
          }
        } finally {
          await machine.end();
        }
      }),
      { seed, numRuns: 5 },
    );
  },
);
