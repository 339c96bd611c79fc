import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasPgBouncer } from "@perdure/test-support/pgbouncer-setup";
import { type PostgresServer, startPostgres } from "@perdure/test-support/postgres-server";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { moveDatabase, openPostgres, openSqlite } from "../../src/index.ts";
import { APP, world } from "../harness.ts";
import { runStep, workflow } from "../steps.ts";

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  return typeof address === "object" && address ? address.port : 0;
}

describe.skipIf(!hasPgBouncer()).each(["transaction", "session"])("behind PgBouncer in %s mode", (mode) => {
  let folder: string;
  let server: PostgresServer;
  let pooler: ChildProcess;
  let port: number;

  beforeAll(async () => {
    server = await startPostgres();
    folder = mkdtempSync(join(tmpdir(), "perdure-pgbouncer-"));
    chmodSync(folder, 0o755);
    port = await freePort();
    const { hostname, port: serverPort, username, password } = new URL(server.url);
    writeFileSync(
      join(folder, "pgbouncer.ini"),
      `[databases]
* = host=${hostname} port=${serverPort} user=${username} password='${decodeURIComponent(password)}'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
default_pool_size = ${mode === "session" ? 20 : 4}
`,
    );
    // It refuses to run as root.
    const user = process.getuid?.() === 0 ? ["-u", "nobody"] : [];
    pooler = spawn("pgbouncer", [...user, join(folder, "pgbouncer.ini")], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const { stderr } = pooler;
    await new Promise<void>((resolve) =>
      stderr?.on("data", (part) => String(part).includes("process up") && resolve()),
    );
  });
  afterAll(async () => {
    pooler.kill("SIGKILL");
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  const pooled = async (parameters: string): Promise<string> => {
    const { pathname } = new URL(await server.createDatabase());
    return `postgres://postgres@127.0.0.1:${port}${pathname}${parameters}`;
  };

  it("two engines share the work, with pgbouncer=true", async () => {
    const url = await pooled("?pgbouncer=true");
    const stores = [await openPostgres(url), await openPostgres(url)];
    const worlds = stores.map((opened) => world(workflow(runStep, runStep), { opened }));
    const [one, other] = worlds;
    if (!one || !other) throw new TypeError("There are two engines.");
    await Promise.all(Array.from({ length: 20 }, (_, at) => (at % 2 ? one : other).start(`wfr_${at}`)));
    await expect
      .poll(async () => {
        for (const { engine } of worlds) await engine.idle();
        const { runs } = (await other.ask("GET", "/v2/workflows/logs?state=RUN_SUCCESS&count=50")).body;
        return runs.length;
      })
      .toBe(20);
    expect(worlds.flatMap(({ calls }) => calls).every(({ url: to }) => to === APP)).toBe(true);
    for (const { engine } of worlds) await engine.stop();
    for (const store of stores) await store.close();
  });

  it("a move works, with pgbouncer=true", async () => {
    const file = join(folder, "engine.db");
    await openSqlite(file).close();
    expect((await moveDatabase({ from: file, to: await pooled("?pgbouncer=true") })).length).toBeGreaterThan(
      20,
    );
  });

  it("an engine is refused without it, and says why", async () => {
    await expect(openPostgres(await pooled(""))).rejects.toThrow(
      /Behind PgBouncer, in whatever mode, add pgbouncer=true to the URL \(unsupported startup parameter: /,
    );
  });

  it("an engine is refused with a schema, which it can't choose there", async () => {
    await expect(openPostgres(await pooled("?pgbouncer=true&schema=s"))).rejects.toThrow(
      "schema can't be used with pgbouncer=true: PgBouncer passes no search path on.",
    );
  });
});
