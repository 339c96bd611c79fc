import { createEngine, type Engine, openSqlite, type Store } from "@perdure/engine";
import { compare, type Row } from "./measure.ts";
import { type Database, makeDatabase, SIGNING_KEYS } from "./sleeping.ts";

const TURNS = { rounds: 10, perRound: 10 };
/** Claims that share a commit: what is measured is the work, and not the wait for the disk. */
const AT_ONCE = 20;
/** Items of a batch that an engine accepts. */
const BATCH = 1000;

interface Load {
  readonly runs: number;
  readonly messages: number;
}

/** Claiming the next due message in a database that is full of what isn't due, and in a small one. */
export async function claims(name: string, full: Load, small: Load): Promise<Row> {
  const contenders = [await open(full), await open(small)] as const;
  const [ours, peer] = contenders;
  try {
    const row = await compare(
      name,
      { name: "full", run: () => claim(ours.store) },
      { name: "small", run: () => claim(peer.store) },
      TURNS,
    );
    return { ...row, bar: { atMost: 1.5 } };
  } finally {
    for (const { store, database } of contenders) {
      await store.close();
      database.remove();
    }
  }
}

async function open({ runs, messages }: Load): Promise<{ store: Store; database: Database }> {
  const database = await makeDatabase(runs, messages);
  const store = openSqlite(database.file);
  const engine = createEngine({ store, token: "token", signingKeys: SIGNING_KEYS });
  const count = (TURNS.rounds + 1) * TURNS.perRound * AT_ONCE;
  for (let sent = 0; sent < count; sent += BATCH) await publish(engine, Math.min(BATCH, count - sent));
  return { store, database };
}

async function publish(engine: Engine, count: number): Promise<void> {
  const items = Array.from({ length: count }, () => ({ destination: "https://app.example.com/" }));
  const { status } = await engine.fetch(
    new Request("http://engine.test/v2/batch", {
      method: "POST",
      headers: { Authorization: "Bearer token" },
      body: JSON.stringify(items),
    }),
  );
  if (status !== 200) throw new TypeError(`The engine answered ${status}.`);
}

async function claim(store: Store): Promise<void> {
  const order = { limit: 1, leaseUntil: Date.now() + 3_600_000 };
  const taken = await Promise.all(Array.from({ length: AT_ONCE }, () => store.claim(order)));
  if (taken.some(({ claims }) => claims.length !== 1)) throw new TypeError("Nothing was due.");
}
