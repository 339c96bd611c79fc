import { createEngine, type Engine, fetchTransport, openPostgres, type PostgresStore } from "@perdure/engine";
import { type PostgresServer, startPostgres } from "@perdure/test-support/postgres-server";
import postgres from "postgres";
import { compareClaims, type Filled, publish, publishDue } from "./claiming.ts";
import { median, type Row } from "./measure.ts";
import { SIGNING_KEYS } from "./sleeping.ts";

/** The sizes of the loads. `PRESSURE=full` takes minutes. */
const { SLEEPING, DEAD, BURST, PLAIN } =
  process.env.PRESSURE === "full"
    ? { SLEEPING: 1_000_000, DEAD: 100_000, BURST: 100_000, PLAIN: 3000 }
    : { SLEEPING: 100_000, DEAD: 20_000, BURST: 5000, PLAIN: 1000 };

/** The turns of two contenders that claim 20 messages at once. */
const TURNS = { rounds: 6, perRound: 4 };

/** Items of a batch that an engine accepts. */
const BATCH = 1000;

/** Milliseconds that the endpoint of the plain deliveries takes, and deliveries of an engine at once. */
const SLOW = { ms: 50, concurrency: 16 };

/** PostgreSQL under pressure, with the disk waited for: what aged snapshots, sleepers, bursts and a second engine cost. */
export async function* pressure(): AsyncGenerator<Row> {
  const server = await startPostgres({
    durable: true,
    // A minute between vacuums, as by default, would be longer than the benchmark.
    settings: ["shared_preload_libraries=pg_stat_statements", "autovacuum_naptime=1s"],
  });
  try {
    yield await sleepers(server);
    yield await oldSnapshot(server);
    yield* burst(server);
    yield await publishToDelivery(server);
    yield await twoEngines(server);
  } finally {
    await server.stop();
  }
}

async function sleepers(server: PostgresServer): Promise<Row> {
  const name = `PostgreSQL: claims among ${SLEEPING} sleeping runs ÷ among 1000`;
  const [ours, peer] = [await withSleepers(server, SLEEPING), await withSleepers(server, 1000)];
  return { ...(await compareClaims(name, { ours, peer, turns: TURNS })), bar: { atMost: 1.5 } };
}

/** An engine stores one sleeping run; the others are copies of its rows. */
async function withSleepers(server: PostgresServer, count: number): Promise<Filled> {
  const url = await server.createDatabase();
  const store = await openPostgres(url);
  const engine = createEngine({ store, token: "token", signingKeys: SIGNING_KEYS });
  await engine.trigger({ url: "https://app.example.com/wf", workflowRunId: "0", delay: "300d" });
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  const base = 2_000_000_000;
  const own = { seq: `${base} + n`, key: `${base} + n`, run: `${base} + n`, entry: `${base} + n` };
  await copy(sql, "runs", { key: own.key, id: "'wfr_' || n" }, count - 1);
  await copy(sql, "entries", { seq: own.seq, run: own.run, message: "'msg_run_' || n" }, count - 1);
  await copy(sql, "messages", { ...own, id: "'msg_run_' || n" }, count - 1);
  await copy(sql, "due", { message: own.seq, at: "at + n", run: own.run }, count - 1);
  await sql.unsafe("VACUUM ANALYZE");
  await sql.end();
  await publishDue(engine, TURNS);
  return { store, close: () => store.close() };
}

/** Inserts rows like the first one of a table, but for the columns in `other`; `n` counts them from 1. */
async function copy(
  sql: postgres.Sql,
  table: string,
  other: Readonly<Record<string, string>>,
  count: number,
): Promise<void> {
  const columns = await sql<{ name: string }[]>`SELECT column_name AS name FROM information_schema.columns
    WHERE table_schema = current_schema AND table_name = ${table}`;
  const names = columns.map(({ name }) => `"${name}"`);
  const values = columns.map(({ name }) => other[name] ?? `"${name}"`);
  await sql.unsafe(
    `INSERT INTO "${table}" (${names}) SELECT ${values} FROM generate_series(1, ${count}) AS numbers (n)
      CROSS JOIN (SELECT * FROM "${table}" LIMIT 1) AS first`,
  );
}

/**
 * Claims beside a transaction that has stayed open while messages were delivered: their rows can't be removed. What matters is
 * the number of these rows and not the time, so a snapshot of ten minutes is one from before that many deliveries.
 */
async function oldSnapshot(server: PostgresServer): Promise<Row> {
  const [ours, peer] = [await withDeadRows(server, true), await withDeadRows(server, false)];
  const name = `PostgreSQL: claims beside a snapshot from before ${DEAD} deliveries ÷ without`;
  return compareClaims(name, { ours, peer, turns: TURNS });
}

async function withDeadRows(server: PostgresServer, isHeld: boolean): Promise<Filled> {
  const url = await server.createDatabase();
  const store = await openPostgres(url);
  await publishDue(createEngine({ store, token: "token", signingKeys: SIGNING_KEYS }), TURNS);
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  const reader = await postgres(url, { max: 1 }).reserve();
  if (isHeld) await reader.unsafe("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM due");
  // As deliveries do: each row is inserted, gets a lease, and is deleted.
  await copy(sql, "due", { message: "3000000000 + n", at: `at - ${DEAD} + n` }, DEAD);
  await sql`UPDATE due SET at = at + 60000, fence = fence + 1 WHERE message > 3000000000`;
  await sql`DELETE FROM due WHERE message > 3000000000`;
  await sql.unsafe("VACUUM ANALYZE due");
  await sql.end();
  return {
    store,
    async close() {
      reader.release();
      await store.close();
    },
  };
}

async function* burst(server: PostgresServer): AsyncGenerator<Row> {
  const url = await server.createDatabase();
  const store = await openPostgres(url);
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  await sql`CREATE EXTENSION pg_stat_statements`;
  const sizes = [await deliverBurst(store)];
  const first = await sizeOf(sql);
  const [second] = [await deliverBurst(store)];
  sizes.push(second);
  const last = await sizeOf(sql);
  yield {
    name: `PostgreSQL: deliveries/s in the last tenth of a burst of ${BURST} ÷ in the first`,
    ratios: sizes.map(({ last: end, first: begin }) => end / begin),
    bar: { atLeast: 0.7 },
    figures: sizes.map(({ all }) => `${all.toFixed(0)}/s`).join(", "),
  };
  yield {
    name: `PostgreSQL: size of due and its indexes after two bursts of ${BURST} ÷ after one`,
    ratios: [last / first],
    figures: `${(last / 1024).toFixed(0)} and ${(first / 1024).toFixed(0)} KiB`,
  };
  await printTopTen(sql);
  await sql.end();
  await store.close();
}

interface Speed {
  /** Deliveries in a second: of the first tenth of the messages, of the last one, and of all. */
  readonly first: number;
  readonly last: number;
  readonly all: number;
}

/** Publishes a burst, and then has it delivered. */
async function deliverBurst(store: PostgresStore): Promise<Speed> {
  const times: number[] = [];
  const engine = engineOn(store, async () => void times.push(performance.now()));
  for (let sent = 0; sent < BURST; sent += BATCH) await publish(engine, BATCH);
  const began = performance.now();
  engine.start();
  while (times.length < BURST) await rest(5);
  await engine.stop();
  const speed = (from: number, to: number): number =>
    (1000 * (to - from)) / ((times[to - 1] ?? began) - (from === 0 ? began : (times[from - 1] ?? began)));
  const tenth = BURST / 10;
  return { first: speed(0, tenth), last: speed(BURST - tenth, BURST), all: speed(0, BURST) };
}

async function sizeOf(sql: postgres.Sql): Promise<number> {
  // Autovacuum has come by then.
  await rest(3000);
  const [row] = await sql<{ size: string }[]>`SELECT pg_total_relation_size('due') AS size`;
  return Number(row?.size);
}

async function printTopTen(sql: postgres.Sql): Promise<void> {
  const rows = await sql<{ query: string; calls: string; total: number; mean: number }[]>`
    SELECT regexp_replace(query, '\\s+', ' ', 'g') AS query, calls, total_exec_time AS total, mean_exec_time AS mean
    FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid AND datname = current_database()
    ORDER BY total_exec_time DESC LIMIT 10`;
  console.log("    the ten statements that have taken most: milliseconds in all, on average, calls");
  for (const { query, calls, total, mean } of rows)
    console.log(`    ${total.toFixed(0).padStart(8)} ${mean.toFixed(3)} ${calls} ${query.slice(0, 120)}`);
}

/** From a message's publication on one engine to its delivery by another one, and by the same one. */
async function publishToDelivery(server: PostgresServer): Promise<Row> {
  const other = await latencies(server, 2);
  const same = await latencies(server, 1);
  const late = other.toSorted((a, b) => a - b)[Math.floor(0.95 * other.length)] ?? Number.NaN;
  return {
    name: "PostgreSQL: publish on one engine → delivery by another ÷ 30 ms",
    ratios: [median(other) / 30],
    bar: { atMost: 1 },
    figures: `median ${median(other).toFixed(1)} ms, 95 % ${late.toFixed(1)} ms; by the same engine ${median(same).toFixed(1)} ms`,
  };
}

/** The milliseconds from publication on the first engine to delivery by the last one, which alone delivers. */
async function latencies(server: PostgresServer, engines: number): Promise<number[]> {
  const url = await server.createDatabase();
  const stores = await Promise.all(Array.from({ length: engines }, () => openPostgres(url)));
  let arrive = (): void => {};
  const all = stores.map((store) => engineOn(store, async () => arrive()));
  const delivering = all.at(-1) as Engine;
  delivering.start();
  const took: number[] = [];
  for (let at = 0; at < 120; at++) {
    const arrived = new Promise<void>((resolve) => (arrive = resolve));
    const began = performance.now();
    await all[0]?.publish({ url: "https://app.example.com/" });
    await arrived;
    if (at >= 20) took.push(performance.now() - began);
  }
  await delivering.stop();
  for (const store of stores) await store.close();
  return took;
}

/** Plain deliveries to a slow endpoint, by engines whose concurrency is the limit. */
async function twoEngines(server: PostgresServer): Promise<Row> {
  const deliver = async (engines: number): Promise<number> => {
    const url = await server.createDatabase();
    const stores = await Promise.all(Array.from({ length: engines }, () => openPostgres(url)));
    let delivered = 0;
    const all = stores.map((store) =>
      engineOn(
        store,
        async () => {
          await rest(SLOW.ms);
          delivered++;
        },
        SLOW.concurrency,
      ),
    );
    for (let sent = 0; sent < PLAIN; sent += BATCH) await publish(all[0] as Engine, BATCH);
    const began = performance.now();
    for (const engine of all) engine.start();
    while (delivered < PLAIN) await rest(5);
    const rate = (1000 * PLAIN) / (performance.now() - began);
    for (const engine of all) await engine.stop();
    for (const store of stores) await store.close();
    return rate;
  };
  const pairs: { two: number; one: number }[] = [];
  for (let round = 0; round < 3; round++) pairs.push({ one: await deliver(1), two: await deliver(2) });
  return {
    name: `PostgreSQL: deliveries/s of two engines with ${SLOW.concurrency} places each, endpoint of ${SLOW.ms} ms ÷ of one`,
    ratios: pairs.map(({ two, one }) => two / one),
    bar: { atLeast: 1.7 },
    figures: pairs.map(({ two, one }) => `${two.toFixed(0)} and ${one.toFixed(0)}/s`).join(", "),
  };
}

/** An engine whose endpoint is in this process. It doesn't deliver until it is started. */
function engineOn(store: PostgresStore, act: () => Promise<void>, concurrency?: number): Engine {
  const transport = fetchTransport(1000, async () => {
    await act();
    return new Response("ok");
  });
  return createEngine({
    store,
    token: "token",
    signingKeys: SIGNING_KEYS,
    transport,
    ...(concurrency === undefined ? {} : { concurrency }),
  });
}

const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
