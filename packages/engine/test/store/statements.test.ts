import { afterEach, beforeEach, expect, it } from "vitest";
import { createStore, type Store } from "../../src/commands/store.ts";
import { type Connection, GroupCommit } from "../../src/store/group-commit.ts";
import { Database } from "../../src/store/sqlite/database.ts";
import type { Sql } from "../../src/store/tx.ts";
import { START } from "../harness.ts";
import { append, delivered, failure, NO_OPTIONS, plain, start } from "./kit.ts";

/** A connection that counts what it is asked. */
class Counting implements Connection {
  readonly #db = new Database(":memory:");
  readonly begin: Sql = this.#db.begin;
  count = 0;

  get inTransaction(): boolean {
    return this.#db.inTransaction;
  }

  one<Row>(query: Sql): Promise<Row | undefined> {
    this.count++;
    return this.#db.one(query);
  }

  all<Row>(query: Sql): Promise<Row[]> {
    this.count++;
    return this.#db.all(query);
  }

  run(query: Sql): Promise<number> {
    this.count++;
    return this.#db.run(query);
  }

  lock(): Promise<void> {
    return this.#db.lock();
  }

  commit(): Promise<void> {
    this.count++;
    return this.#db.commit();
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}

let connection: Counting;
let store: Store;
beforeEach(() => {
  connection = new Counting();
  store = createStore(new GroupCommit(connection));
  store.useClock(() => START);
});
afterEach(() => store.close());

const statementsOf = async (work: () => Promise<unknown>): Promise<number> => {
  const before = connection.count;
  await work();
  return connection.count - before;
};

const ids = Array.from({ length: 100 }, (_, at) => `wfr_${at}`);

it("a page of 100 runs with 10 steps takes ten statements at most", async () => {
  for (const id of ids) {
    await store.accept([start(id), ...Array.from({ length: 10 }, (_, step) => append(id, step + 1))]);
  }
  let shown: readonly unknown[] = [];
  const statements = await statementsOf(async () => {
    const { items } = await store.runs({ count: 100 });
    shown = items.map(({ entries }) => entries.length);
  });
  expect(shown).toEqual(ids.map(() => 11));
  expect(statements).toBeLessThanOrEqual(10);
});

it("a page of 100 dead letters, and of 100 entries of the log, takes as many", async () => {
  await store.accept([...ids.map((id) => start(id)), ...ids.map(() => plain())]);
  const { claims } = await store.claim({ limit: 200, leaseUntil: START + 1000 });
  expect(claims).toHaveLength(200);
  for (const { lease, run } of claims) {
    const settlement = run ? ({ kind: "failed", failure: failure(START) } as const) : delivered(START);
    await store.settle(lease, settlement);
  }
  expect(await statementsOf(() => store.deadLetters({ count: 100 }))).toBeLessThanOrEqual(10);
  expect(await statementsOf(() => store.logs({ count: 100 }))).toBeLessThanOrEqual(10);
  const changes = { kind: "resume", options: NO_OPTIONS } as const;
  expect((await store.resumeRuns({ count: 100 }, changes)).runs).toHaveLength(100);
});
