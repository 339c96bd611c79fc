import { HEADER } from "@perdure/core/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import { openSqlite } from "../../src/index.ts";
import type { Claim } from "../../src/store/claims.ts";
import { START } from "../harness.ts";
import { delivered, failure, plain } from "./kit.ts";

const MINUTE = 60_000;
const KEPT = 10 * MINUTE;
const FOR_EVER = START + 1e12;
const KEYS = ["a", "b"] as const;
const PIN = { kind: "pin", parallelism: 2, rate: undefined, period: undefined } as const;

const key = fc.constantFrom(...KEYS);
const act = fc.oneof(
  fc.record({ kind: fc.constant("publish" as const), key, delay: fc.nat(40) }),
  fc.record({ kind: fc.constant("claim" as const) }),
  fc.record({ kind: fc.constantFrom("deliver" as const, "retry" as const, "cancel" as const) }),
  fc.record({ kind: fc.constantFrom("hold" as const, "let go" as const), pins: fc.boolean(), key }),
  fc.record({ kind: fc.constant("pass" as const), minutes: fc.integer({ min: 1, max: 25 }) }),
);
type Act = typeof act extends fc.Arbitrary<infer One> ? One : never;

/** Flow control keys, with what has been done with each of them. */
class Model {
  now = START;
  readonly #store: Store;
  /** Messages that aren't at their ends, by id. */
  readonly #live = new Map<string, string>();
  readonly #claimed: Claim[] = [];
  readonly #used = new Map<string, number>();
  /** When a key was last looked at and found in use. */
  readonly #seen = new Map<string, number>();
  readonly #paused = new Set<string>();
  readonly #pinned = new Set<string>();

  constructor(store: Store) {
    this.#store = store;
    store.useClock(() => this.now);
  }

  async do(one: Act): Promise<void> {
    switch (one.kind) {
      case "publish":
        return this.#publish(one.key, one.delay);
      case "claim": {
        const order = { limit: 10, leaseUntil: FOR_EVER };
        for (const claim of (await this.#store.claim(order)).claims) {
          this.#claimed.push(claim);
          this.#used.set(claim.message.flow?.key ?? "", this.now);
        }
        return;
      }
      case "deliver":
      case "retry":
      case "cancel":
        return this.#settle(one.kind);
      case "hold":
      case "let go":
        return this.#change(one);
      case "pass":
        this.now += one.minutes * MINUTE;
        return this.#sweep();
      default:
        return one satisfies never;
    }
  }

  async #publish(key: string, delay: number): Promise<void> {
    const headers = {
      [HEADER.flowControlKey]: key,
      [HEADER.flowControlValue]: "parallelism=2",
      [HEADER.delay]: `${delay}m`,
    };
    const [receipt] = await this.#store.accept([plain(headers, this.now)]);
    this.#live.set(receipt?.messageId ?? "", key);
    this.#used.set(key, this.now);
  }

  async #settle(kind: "deliver" | "retry" | "cancel"): Promise<void> {
    const claim = this.#claimed.shift();
    if (!claim) return;
    const { id } = claim.message;
    if (kind === "cancel") await this.#store.cancelMessage(id);
    else if (kind === "deliver") await this.#store.settle(claim.lease, delivered(this.now));
    else {
      const retry = { kind, dueAt: this.now + 15 * MINUTE, failure: failure(this.now) };
      await this.#store.settle(claim.lease, retry);
      return;
    }
    this.#live.delete(id);
  }

  async #change({ kind, pins, key }: Extract<Act, { kind: "hold" | "let go" }>): Promise<void> {
    const holds = kind === "hold";
    const unpin = { kind: "unpin", parallelism: true, rate: true } as const;
    const change = pins ? (holds ? PIN : unpin) : ({ kind: holds ? "pause" : "resume" } as const);
    // Only a pause or a pin makes a key.
    if (!holds && !(await this.#exists(key))) return;
    await this.#store.changeFlow(key, change);
    this.#used.set(key, this.now);
    const set = pins ? this.#pinned : this.#paused;
    if (holds) set.add(key);
    else set.delete(key);
  }

  async #exists(key: string): Promise<boolean> {
    return (await this.#store.flows()).some((flow) => flow.key === key);
  }

  async #sweep(): Promise<void> {
    const expiry = { messages: 0, logs: this.now - KEPT, dlq: 0, runs: 0, now: this.now };
    while ((await this.#store.sweep(expiry, 1)).more);
    for (const key of KEYS) {
      const there = await this.#exists(key);
      const used = this.#used.get(key);
      if (used === undefined) {
        expect(there).toBe(false);
        continue;
      }
      const live = [...this.#live.values()].includes(key);
      const kept = live || this.#paused.has(key) || this.#pinned.has(key);
      if (kept || this.now < used + KEPT) expect(there).toBe(true);
      // To the minute, and from when it was last seen in use.
      else if (this.now >= Math.max(used, this.#seen.get(key) ?? 0) + KEPT + MINUTE)
        expect(there).toBe(false);
      if (live) this.#seen.set(key, this.now);
      if (!there) this.#used.delete(key);
    }
  }
}

it("a flow control key is kept while anything has it, and as long as it is told to, and no longer", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: 60 }), async (acts) => {
      const store = openSqlite(":memory:");
      const model = new Model(store);
      for (const one of acts) await model.do(one);
      await store.close();
    }),
    { numRuns: 60, seed: 7 },
  );
});
