import { createEngine, type Engine, openSqlite, type Store } from "@perdure/engine";
import { compare, type Row, type Turns } from "./measure.ts";
import { makeDatabase, SIGNING_KEYS } from "./sleeping.ts";

const TURNS: Turns = { rounds: 10, perRound: 10 };
/** Claims that share a commit: what is measured is the work, and not the wait for the disk. */
const AT_ONCE = 20;
/** Items of a batch that an engine accepts. */
const BATCH = 1000;

interface Load {
  readonly runs: number;
  readonly messages: number;
}

/** A store with messages that are due beside many that aren't. */
export interface Filled {
  readonly store: Store;
  close(): Promise<void>;
}

/** Claiming the next due message in a database that is full of what isn't due, and in a small one. */
export async function claims(name: string, full: Load, small: Load): Promise<Row> {
  const row = await compareClaims(name, { ours: await open(full), peer: await open(small) });
  return { ...row, bar: { atMost: 1.5 } };
}

/** Compares claims of two stores, and closes both. */
export async function compareClaims(
  name: string,
  { ours, peer, turns = TURNS }: { readonly ours: Filled; readonly peer: Filled; readonly turns?: Turns },
): Promise<Row> {
  try {
    return await compare(
      name,
      { name: "full", run: () => claim(ours.store) },
      { name: "small", run: () => claim(peer.store) },
      turns,
    );
  } finally {
    for (const { close } of [ours, peer]) await close();
  }
}

async function open({ runs, messages }: Load): Promise<Filled> {
  const database = await makeDatabase(runs, messages);
  const store = openSqlite(database.file);
  await publishDue(createEngine({ store, token: "token", signingKeys: SIGNING_KEYS }));
  return {
    store,
    async close() {
      await store.close();
      database.remove();
    },
  };
}

/** Publishes as many messages as {@link compareClaims} claims. */
export async function publishDue(engine: Engine, { rounds, perRound }: Turns = TURNS): Promise<void> {
  const count = (rounds + 1) * perRound * AT_ONCE;
  for (let sent = 0; sent < count; sent += BATCH) await publish(engine, Math.min(BATCH, count - sent));
}

/** Publishes a batch of messages. */
export async function publish(engine: Engine, count: number): Promise<void> {
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
