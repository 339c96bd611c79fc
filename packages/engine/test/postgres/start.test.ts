import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { newDatabase } from "@perdure/test-support/postgres-database";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Command, useDesk } from "../cli/desk.ts";
import { startRelay } from "./relay.ts";

const { run } = useDesk();

const TOKEN = "token-0123456789abcdef";
const METRICS = "metrics-0123456789abcdef";
const auth = { Authorization: `Bearer ${TOKEN}` };

let delivered: string[] = [];
/** Deliveries that get no answer before the others do. */
let unanswered = 0;
const endpoint = createServer((request, response) => {
  delivered.push(String(request.headers["upstash-message-id"]));
  if (unanswered-- <= 0) response.end("ok");
});

beforeEach(async () => {
  [delivered, unanswered] = [[], 0];
  await new Promise<void>((resolve) => endpoint.listen(0, "127.0.0.1", resolve));
});
afterEach(() => {
  endpoint.closeAllConnections();
  return new Promise((resolve) => endpoint.close(resolve));
});

const urlOfEndpoint = (): string => `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/`;

function start(db: string): Command {
  return run(["start", "--port", "0", "--allow-destination", "127.0.0.1", "--metrics-token", METRICS], {
    QSTASH_TOKEN: TOKEN,
    QSTASH_CURRENT_SIGNING_KEY: "sig_a0123456789abcdef",
    QSTASH_NEXT_SIGNING_KEY: "sig_b0123456789abcdef",
    PERDURE_DB: db,
  });
}

async function addressOf(engine: Command): Promise<string> {
  // Several processes start at once, and connect.
  await expect.poll(() => engine.said(), { interval: 50 }).toMatch(/"listening"/);
  return /"url":"([^"]+)"/.exec(engine.said())?.[1] ?? "";
}

describe("perdure start --db postgres://…", () => {
  it("runs several engines on one database: what one accepts, any one delivers, once", async () => {
    const db = newDatabase();
    const engines = [start(db), start(db)];
    const urls = await Promise.all(engines.map(addressOf));
    const published = await Promise.all(
      Array.from({ length: 40 }, async (_, at) => {
        const to = `${urls[at % 2]}/v2/publish/${urlOfEndpoint()}`;
        const answer = await fetch(to, { method: "POST", headers: auth, body: String(at) });
        return ((await answer.json()) as { readonly messageId: string }).messageId;
      }),
    );
    await expect.poll(() => delivered.length).toBeGreaterThanOrEqual(40);
    expect([...delivered].sort()).toEqual([...published].sort());
    for (const url of urls) expect((await fetch(`${url}/ready`)).status).toBe(200);
    const logs = engines.map(({ said }) => said()).join("");
    expect(logs).not.toContain("for%20tests%20only");
    for (const { child, exit } of engines) {
      child.kill("SIGTERM");
      expect(await exit()).toBe(0);
    }
  });

  it("says at once that it isn't ready while its database answers nothing, and still has metrics", async () => {
    const relay = await startRelay(newDatabase());
    const engine = start(relay.url);
    const url = await addressOf(engine);
    const ready = async (): Promise<number> => (await fetch(`${url}/ready`)).status;
    const backlog = async (): Promise<boolean> => {
      const answer = await fetch(`${url}/metrics`, { headers: { Authorization: `Bearer ${METRICS}` } });
      expect(answer.status).toBe(200);
      return /^perdure_queue_messages\{/m.test(await answer.text());
    };
    expect([await ready(), await backlog()]).toEqual([200, true]);
    relay.freeze(true);
    await expect.poll(ready).toBe(503);
    expect(await backlog()).toBe(false);
    relay.freeze(false);
    await expect.poll(ready).toBe(200);
    expect(await backlog()).toBe(true);
    engine.child.kill("SIGTERM");
    expect(await engine.exit()).toBe(0);
    await relay.stop();
  });

  it("counts in its metrics what it did again after its connections were lost", async () => {
    const relay = await startRelay(newDatabase());
    const engine = start(relay.url);
    const url = await addressOf(engine);
    const retries = async (): Promise<string | undefined> => {
      const answer = await fetch(`${url}/metrics`, { headers: { Authorization: `Bearer ${METRICS}` } });
      return /^perdure_store_retries_total\{[^}]*state="connection"[^}]*\} (\d+)/m.exec(
        await answer.text(),
      )?.[1];
    };
    const publish = () => fetch(`${url}/v2/publish/${urlOfEndpoint()}`, { method: "POST", headers: auth });
    await expect
      .poll(async () => {
        const publishing = Array.from({ length: 20 }, publish);
        // The operations are under way.
        await new Promise((resolve) => setTimeout(resolve, 5));
        relay.cut();
        await Promise.all(publishing);
        return Number(await retries());
      })
      .toBeGreaterThan(0);
    engine.child.kill("SIGTERM");
    expect(await engine.exit()).toBe(0);
    await relay.stop();
  });

  it("delivers again what an engine had under way that was killed, within 10 seconds", async () => {
    const db = newDatabase();
    unanswered = 1;
    const first = start(db);
    const to = `${await addressOf(first)}/v2/publish/${urlOfEndpoint()}`;
    await fetch(to, { method: "POST", headers: auth });
    await expect.poll(() => delivered.length).toBe(1);
    await addressOf(start(db));
    const killed = performance.now();
    first.child.kill("SIGKILL");
    await expect.poll(() => delivered.length, { interval: 50 }).toBe(2);
    // A busy machine gets some seconds more; the lease itself would last for 30.
    expect(performance.now() - killed).toBeLessThan(15_000);
    expect(new Set(delivered).size).toBe(1);
  });

  it("says why it can't start", async () => {
    const url = new URL(newDatabase());
    url.searchParams.delete("schema");
    url.pathname = "/no_such_database";
    const engine = start(url.href);
    expect(await engine.exit()).toBe(1);
    expect(engine.said()).toContain("The database can't be used: the server has no such database");
    expect(engine.said()).toContain(
      `The database is postgres://postgres:***@${url.host}/no_such_database, set by --db`,
    );
  });

  it.each([
    ["a host without an address", (url: URL) => (url.hostname = "nowhere.invalid"), "the name of its server"],
    [
      "a parameter that isn't known",
      (url: URL) => url.searchParams.set("conections", "3"),
      'there is no parameter "conections"',
    ],
    [
      "TLS that the server doesn't offer",
      (url: URL) => url.searchParams.set("sslmode", "require"),
      "its server seems to offer no TLS, which the URL's sslmode asks for",
    ],
    [
      "the password among the parameters",
      (url: URL) => {
        url.searchParams.set("password", decodeURIComponent(url.password));
        url.searchParams.set("user", url.username);
      },
      '"password" is no parameter. Put user and password before the @',
    ],
  ])("says why it can't start with %s, without the password", async (_, change, reason) => {
    const url = new URL(newDatabase());
    change(url);
    const engine = start(url.href);
    expect(await engine.exit()).toBe(1);
    expect(engine.said()).toMatch(
      /^The database(?:'s URL)? can't be used: .*\nThe database is postgres:\/\/postgres:\*\*\*@/,
    );
    expect(engine.said()).toContain(reason);
    expect(engine.said()).not.toMatch(/tests.{1,3}only/);
  });
});
