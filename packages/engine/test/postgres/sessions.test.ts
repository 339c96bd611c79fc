import { HEADER } from "@perdure/core/protocol";
import { newDatabase } from "@perdure/test-support/postgres-database";
import { Receiver } from "@upstash/qstash";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  createEngine,
  fetchTransport,
  ManualClock,
  openPostgres,
  type SigningKeys,
} from "../../src/index.ts";
import { ClientSession } from "../../src/store/postgres/client.ts";
import { readLocation } from "../../src/store/postgres/location.ts";
import { OWN_TOKEN, world } from "../harness.ts";
import { withClient } from "./database.ts";
import { startRelay } from "./relay.ts";

describe("the connections of an engine", () => {
  it("have names for the database's administrator, and are as many as the URL allows", async () => {
    const url = new URL(newDatabase());
    // Engines of other tests use the server's first database.
    const database = url.searchParams.get("schema") ?? "";
    await withClient(url.href, (sql) => sql.unsafe(`CREATE DATABASE ${database}`));
    url.pathname = `/${database}`;
    url.searchParams.set("connections", "5");
    const store = await openPostgres(url.href);
    // As many operations at once use all connections.
    await Promise.all(Array.from({ length: 40 }, () => Promise.all([store.probe(), store.setting("probe")])));
    const rows = await withClient(
      newDatabase(),
      (sql) => sql`SELECT application_name AS name FROM pg_stat_activity
        WHERE datname = ${database} AND application_name LIKE 'perdure%'`,
    );
    const names = rows.map((row) => row.name).sort();
    await store.close();
    // The one for the background opens with the first run that is indexed.
    expect(names).toEqual(["perdure", "perdure", "perdure control", "perdure listen"]);
  });

  it("take settings of the server from the URL's options, and another name", async () => {
    const url = new URL(newDatabase());
    url.searchParams.set("options", "-c work_mem=8MB");
    url.searchParams.set("application_name", "shop");
    const session = new ClientSession(readLocation(url.href), { name: "perdure" });
    const read = async (name: string) => (await session.query(`SHOW ${name}`, [])).rows[0];
    expect(await read("work_mem")).toEqual({ work_mem: "8MB" });
    expect(await read("application_name")).toEqual({ application_name: "shop" });
    expect(await read("search_path")).toEqual({ search_path: `"${url.searchParams.get("schema")}"` });
    await session.close();
  });

  it.each(["prefer", "disable"])("are made with sslmode=%s to a server without TLS", async (mode) => {
    const session = new ClientSession(readLocation(`${newDatabase()}&sslmode=${mode}`), { name: "perdure" });
    expect((await session.query("SELECT 1 AS one", [])).rows).toEqual([{ one: 1 }]);
    await session.close();
  });

  it("limit the time of each statement, of waits for locks and of idle transactions", async () => {
    const session = new ClientSession(readLocation(newDatabase()), { name: "perdure" });
    const read = async (name: string) => (await session.query(`SHOW ${name}`, [])).rows[0];
    expect(await read("statement_timeout")).toEqual({ statement_timeout: "30s" });
    expect(await read("lock_timeout")).toEqual({ lock_timeout: "10s" });
    expect(await read("idle_in_transaction_session_timeout")).toEqual({
      idle_in_transaction_session_timeout: "5s",
    });
    await session.query("SET statement_timeout = 20", []);
    await expect(session.query("SELECT pg_sleep(10)", [])).rejects.toThrow(
      "The database can't be used: a statement took too long",
    );
    await session.close();
  });
});

it("a session for changes keeps its plans until it has waited for its statements for long", async () => {
  let discarded = 0;
  const relay = await startRelay(newDatabase(), (sent) => {
    if (sent.includes("DISCARD PLANS")) discarded++;
  });
  const session = new ClientSession(readLocation(relay.url), { name: "perdure", writes: true });
  const pause = () => new Promise((resolve) => setTimeout(resolve, 2100));
  await session.query("SELECT 1", []);
  await pause();
  await session.query("SELECT 1", []);
  expect(discarded).toBe(0);
  await session.query("SELECT pg_sleep(0.2)", []);
  await session.query("SELECT 1", []);
  expect(discarded).toBe(1);
  await session.query("SELECT pg_sleep(0.2)", []);
  await session.query("SELECT 1", []);
  expect(discarded, "twice within two seconds").toBe(1);
  await session.close();
  await relay.stop();
});

it("the time of leases is the database's, whatever the machine's clock says", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
  onTestFinished(() => void vi.useRealTimers());
  const url = newDatabase();
  const store = await openPostgres(url);
  onTestFinished(() => store.close());
  const [row] = await withClient(
    url,
    (sql) => sql`SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now`,
  );
  expect(Date.now() - Number(row?.now)).toBeGreaterThan(3_500_000);
  expect(Math.abs((store.clock?.now() ?? 0) - Number(row?.now))).toBeLessThan(60_000);
});

it("no transaction lasts as long as a delivery", async () => {
  const url = new URL(newDatabase());
  const name = url.searchParams.get("schema") ?? "";
  url.searchParams.set("application_name", name);
  const store = await openPostgres(url.href);
  let began = (): void => {};
  const begun = new Promise<void>((resolve) => (began = resolve));
  const transport = fetchTransport(1000, () => {
    began();
    return new Promise(() => {});
  });
  const signingKeys = { current: "sig_a", next: "sig_b" };
  const engine = createEngine({ store, token: "a-token", signingKeys, transport });
  onTestFinished(async () => {
    await engine.stop({ deadline: 0 });
    await store.close();
  });
  engine.start();
  await engine.publish({ url: "https://a.test/" });
  await begun;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const sessions = await withClient(
    newDatabase(),
    (sql) => sql`SELECT coalesce(xact_start < clock_timestamp() - interval '1 second', false) AS held
      FROM pg_stat_activity WHERE application_name = ${name}`,
  );
  expect(sessions.length).toBeGreaterThan(1);
  expect(sessions.filter(({ held }) => held)).toEqual([]);
});

describe("a lost connection", () => {
  it("ends every statement that was sent on it, whenever it was sent", async () => {
    const url = newDatabase();
    const session = new ClientSession(readLocation(url), { name: "perdure" });
    await withClient(url, async (sql) => {
      for (let round = 0; round < 40; round++) {
        // The server may refuse it while the last connection is at its end.
        for (let refused = true; refused; )
          refused = await session.connect().then(
            () => false,
            () => true,
          );
        const { rows } = await session.query("SELECT pg_backend_pid() AS pid", []);
        const [{ pid }] = rows as [{ pid: number }];
        const sent: Promise<"done" | "lost">[] = [];
        const killed = sql`SELECT pg_terminate_backend(${pid})`.then(() => "killed");
        const losses = session.losses;
        while (session.losses === losses) {
          const ended = session.query("SELECT 1", []).then(
            (): "done" => "done",
            (): "lost" => "lost",
          );
          sent.push(ended);
          await new Promise((resolve) => setImmediate(resolve));
        }
        await killed;
        expect(await Promise.all(sent)).toContain("lost");
      }
    });
    await session.close();
  });
});

/** Has new connections to a database of its own find it read-only, as a standby is. */
async function ownDatabase(): Promise<{ readonly url: string; readOnly(on: boolean): Promise<void> }> {
  const url = new URL(newDatabase());
  const database = url.searchParams.get("schema") ?? "";
  const control = (...statements: readonly string[]): Promise<void> =>
    withClient(newDatabase(), async (sql) => {
      for (const statement of statements) await sql.unsafe(statement);
    });
  await control(`CREATE DATABASE ${database}`);
  url.pathname = `/${database}`;
  url.searchParams.delete("schema");
  return {
    url: url.href,
    readOnly: (on) =>
      control(
        `ALTER DATABASE ${database} SET default_transaction_read_only = ${on ? "on" : "off"}`,
        ...(on
          ? [`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}'`]
          : []),
      ),
  };
}

describe("a database that has become read-only", () => {
  it("is named in the error, and an engine finds by itself when the address leads to one that isn't", async () => {
    const { url, readOnly } = await ownDatabase();
    const store = await openPostgres(url);
    await store.probe();
    await readOnly(true);
    await expect(store.probe()).rejects.toThrow("it is read-only: is it a standby?");
    // A reader of a standby would see old data.
    await expect(store.setting("probe")).rejects.toThrow("it is read-only: is it a standby?");
    await readOnly(false);
    await store.probe();
    await store.setting("probe");
    await store.close();
  });

  it("is left at once by a session that hears of it in a statement, for a new connection", async () => {
    const { url } = await ownDatabase();
    const session = new ClientSession(readLocation(url), { name: "perdure" });
    await session.connect();
    await session.query("CREATE TABLE changed (value int)", []);
    await session.query("SET default_transaction_read_only = on", []);
    await expect(session.query("INSERT INTO changed VALUES (1)", [])).rejects.toThrow("it is read-only");
    await session.connect();
    await session.query("INSERT INTO changed VALUES (1)", []);
    await session.close();
  });
});

describe("a server that says nothing more", () => {
  it("is given up once a statement has had no answer for longer than one may take, and connected to anew", async () => {
    const relay = await startRelay(newDatabase());
    const session = new ClientSession(readLocation(relay.url), { name: "perdure", silence: 700 });
    await session.connect();
    const { rows } = await session.query("SELECT pg_sleep(0.2), 1 AS one", []);
    expect(rows).toMatchObject([{ one: 1 }]);
    // Nothing under way, nothing to wait for.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(session.losses).toBe(0);
    relay.freeze(true);
    await expect(session.query("SELECT 1", [])).rejects.toThrow("The connection to the database was lost.");
    relay.freeze(false);
    await session.connect();
    expect((await session.query("SELECT 2 AS two", [])).rows).toEqual([{ two: 2 }]);
    await session.close();
    await relay.stop();
  });
});

describe("the rights of an engine's user", () => {
  it("need be no more than to own the schema, and once its tables are there, to change their rows", async () => {
    const url = new URL(newDatabase());
    const schema = url.searchParams.get("schema") ?? "";
    const as = (user: string): string => Object.assign(new URL(url), { username: user, password: "pw" }).href;
    const [owner, writer, stranger] = ["owner", "writer", "stranger"].map((name) => `${name}_${schema}`) as [
      string,
      string,
      string,
    ];
    const grant = (statements: string) => withClient(url.href, (sql) => sql.unsafe(statements));
    await grant(
      `DROP SCHEMA IF EXISTS "${schema}";
      CREATE ROLE "${owner}" LOGIN PASSWORD 'pw'; CREATE ROLE "${writer}" LOGIN PASSWORD 'pw'; CREATE ROLE "${stranger}" LOGIN PASSWORD 'pw';
      CREATE SCHEMA "${schema}" AUTHORIZATION "${owner}"`,
    );
    await (await openPostgres(as(owner))).close();
    await grant(
      `GRANT USAGE ON SCHEMA "${schema}" TO "${writer}";
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "${schema}" TO "${writer}"`,
    );
    const w = world(undefined, { opened: await openPostgres(as(writer)), clock: new ManualClock() });
    expect((await w.ask("POST", "/v2/publish/https://a.test/")).status).toBe(200);
    await expect.poll(() => w.calls).toHaveLength(1);
    await w.engine.stop();
    await w.store.close();
    await expect(openPostgres(as(stranger))).rejects.toThrow(
      /^The database can't be used: its user (lacks a right|may use no schema)/,
    );
  });
});

describe("a database with defaults of its own", () => {
  it("doesn't change how transactions see one another", async () => {
    const url = new URL(newDatabase());
    const role = `strict_${url.searchParams.get("schema")}`;
    await withClient(url.href, (sql) =>
      sql.unsafe(
        `CREATE ROLE "${role}" SUPERUSER LOGIN PASSWORD 'pw'; ALTER ROLE "${role}" SET default_transaction_isolation = 'repeatable read'`,
      ),
    );
    Object.assign(url, { username: role, password: "pw" });
    const level = await withClient(url.href, (sql) => sql`SHOW transaction_isolation`);
    expect(level).toEqual([{ transaction_isolation: "repeatable read" }]);
    const stores = await Promise.all([openPostgres(url.href), openPostgres(url.href)]);
    const worlds = stores.map((opened) => world(undefined, { opened, clock: new ManualClock() }));
    // Each of the two engines in turn, and all at once: a stale view would lose some of the changes.
    const headers = { [HEADER.deduplicationId]: "one" };
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, at) =>
        worlds[at % 2]?.ask("POST", "/v2/publish/https://a.test/", { headers }),
      ),
    );
    expect(answers.map((answer) => answer?.status).sort()).toEqual([200, ...Array(39).fill(202)]);
    expect(new Set(answers.map((answer) => answer?.body.messageId)).size).toBe(1);
    for (const { engine } of worlds) await engine.stop();
    for (const store of stores) await store.close();
  });

  it("is refused when its encoding can't hold every text", async () => {
    const url = new URL(newDatabase());
    const database = `latin_${url.searchParams.get("schema")}`;
    await withClient(url.href, (sql) =>
      sql.unsafe(`CREATE DATABASE "${database}" ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`),
    );
    url.pathname = `/${database}`;
    await expect(openPostgres(url.href)).rejects.toThrow(
      /^The database's encoding is LATIN1, and the engine needs UTF8/,
    );
  });
});

describe("the tables that change fast", () => {
  it("are vacuumed early", async () => {
    const url = newDatabase();
    await (await openPostgres(url)).close();
    const rows = await withClient(
      url,
      (sql) => sql`SELECT relname AS name, reloptions AS options FROM pg_class
        WHERE relnamespace = CAST(current_schema() AS regnamespace) AND reloptions IS NOT NULL ORDER BY relname`,
    );
    expect(Object.fromEntries(rows.map(({ name, options }) => [name, options]))).toEqual({
      due: [
        "autovacuum_vacuum_scale_factor=0.01",
        "autovacuum_vacuum_threshold=1000",
        "autovacuum_vacuum_cost_delay=0",
        "autovacuum_analyze_scale_factor=0.05",
        "fillfactor=70",
      ],
      runs: ["autovacuum_vacuum_scale_factor=0.05", "fillfactor=85"],
    });
  });
});

describe("a rotation of the keys", () => {
  it("reaches the other engines within seconds", async () => {
    const url = newDatabase();
    const stores = [await openPostgres(url), await openPostgres(url)] as const;
    // Signatures are judged by the real time.
    const clock = new ManualClock();
    const one = world(undefined, { opened: stores[0], clock });
    const other = world(undefined, { opened: stores[1], clock });
    const publish = async () => {
      await other.ask("POST", "/v2/publish/https://a.test/");
      await expect.poll(() => one.calls.length + other.calls.length).toBe(1);
      return [...one.calls.splice(0), ...other.calls.splice(0)];
    };
    await publish();
    const { body } = await one.ask("POST", "/v2/keys/rotate", { token: OWN_TOKEN });
    const { current, next } = body as SigningKeys;
    expect((await other.ask("GET", "/v2/keys")).body).toEqual({ current, next });
    await one.ask("POST", "/v2/keys/rotate", { token: OWN_TOKEN });
    clock.advance(5000);
    const [call] = await publish();
    const signature = call?.headers.get(HEADER.signature) ?? "";
    const receiver = new Receiver({ currentSigningKey: next, nextSigningKey: "none", devMode: false });
    expect(await receiver.verify({ signature, body: call?.text ?? "", url: call?.url ?? "" })).toBe(true);
    for (const { engine } of [one, other]) await engine.stop();
    for (const store of stores) await store.close();
  });
});

describe("the configurations of engines on one database", () => {
  type Options = Partial<Parameters<typeof createEngine>[0]>;

  /** Starts engines, each of which has told the others its configuration. */
  function engines() {
    const url = newDatabase();
    const warnings: string[] = [];
    const column = (id: string) =>
      withClient(url, (sql) => sql`SELECT configuration FROM engines WHERE id = ${id}`);
    const start = async (current: string, next: string, options: Options = {}) => {
      const store = await openPostgres(url, { warn: (warning) => warnings.push(warning) });
      const engine = createEngine({ store, token: OWN_TOKEN, signingKeys: { current, next }, ...options });
      engine.start();
      await expect.poll(() => column(store.instance)).toMatchObject([{ configuration: expect.any(String) }]);
      return {
        async stop() {
          await engine.stop();
          await store.close();
        },
      };
    };
    return { url, warnings, start };
  }

  it("are compared when an engine starts, which warns if another one has none of its keys", async () => {
    const { warnings, start } = engines();
    const first = await start("sig_a", "sig_b");
    // The keys of a rotation in the configuration: one engine after the other gets them.
    const second = await start("sig_b", "sig_c");
    await first.stop();
    // All of the keys are new, and no engine has the old ones any more.
    await second.stop();
    const third = await start("sig_x", "sig_y");
    expect(warnings).toEqual([]);
    const other = await start("sig_p", "sig_q");
    await expect.poll(() => warnings).toEqual([expect.stringContaining("has other signing keys")]);
    for (const { stop } of [third, other]) await stop();
  });

  it("are compared by their tokens, options and destinations, and stored without a secret", async () => {
    const { url, warnings, start } = engines();
    const readOnlyTokens = ["hidden-0"];
    const one = await start("sig_a", "sig_b", { token: ["hidden-1", "hidden-2"], readOnlyTokens });
    // A new token is added one engine after the other, and an engine may have limits of its own.
    const two = await start("sig_a", "sig_b", {
      token: ["hidden-2", "hidden-3"],
      readOnlyTokens,
      concurrency: 10,
    });
    expect(warnings).toEqual([]);
    const other = await start("sig_a", "sig_b", {
      token: "hidden-4",
      limits: { queues: 5 },
      destinations: { deny: ["10.0.0.0/8"] },
    });
    const begin = "Another engine that this database has, or had a moment ago, has";
    const end = "Give all engines the same configuration.";
    await expect
      .poll(() => warnings)
      .toEqual([
        `${begin} other tokens: each of the two refuses the clients of the other one. ${end}`,
        `${begin} other read-only tokens: each of the two refuses the readers of the other one. ${end}`,
        `${begin} limits.queues 10000, and this one 5. ${end}`,
        `${begin} another policy on destinations. ${end}`,
      ]);
    const rows = await withClient(url, (sql) => sql`SELECT configuration FROM engines`);
    expect(rows).toHaveLength(3);
    for (const { configuration } of rows) {
      expect(configuration).not.toMatch(/hidden|sig_/);
      // A whole digest would confirm a guess.
      for (const values of Object.values(JSON.parse(configuration).secrets)) {
        expect(String(values)).toMatch(/^(?:[0-9a-f]{3},?)*$/);
      }
    }
    for (const { stop } of [one, two, other]) await stop();
  });
});

describe("the heartbeat of an engine", () => {
  it("goes on while a takeover waits for a lock", async () => {
    const url = newDatabase();
    const store = await openPostgres(url);
    const w = world(undefined, { opened: store });
    await w.ask("POST", "/v2/publish/https://a.test/", { headers: { [HEADER.delay]: "1h" } });
    await withClient(url, async (sql) => {
      const seenAt = async () => {
        const [row] = await sql`SELECT seen_at FROM engines WHERE id = ${store.instance}`;
        return Number(row?.seen_at);
      };
      await sql.begin(async (holder) => {
        await holder`UPDATE due SET status = 'delivering', owner = 'dead'`;
        await holder`INSERT INTO engines (id, started_at, seen_at) VALUES ('dead', 1, 1)`;
      });
      await sql.begin(async (holder) => {
        await holder`SELECT * FROM due FOR UPDATE`;
        const isWaiting = async () =>
          (
            await sql`SELECT 1 FROM pg_locks WHERE NOT granted AND pid IN
            (SELECT pid FROM pg_stat_activity WHERE query LIKE 'UPDATE due%')`
          ).length > 0;
        await expect.poll(isWaiting).toBe(true);
        const before = await seenAt();
        await expect.poll(seenAt, { timeout: 8000 }).toBeGreaterThan(before);
        expect(await isWaiting()).toBe(true);
      });
      await expect.poll(async () => (await sql`SELECT 1 FROM engines WHERE id = 'dead'`).length).toBe(0);
    });
    await w.engine.stop();
    await store.close();
  });
});
