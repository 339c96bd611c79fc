import { HEADER } from "@perdure/core/protocol";
import { newDatabase } from "@perdure/test-support/postgres-database";
import { startPostgres } from "@perdure/test-support/postgres-server";
import { describe, expect, it } from "vitest";
import { type Delivery, type EngineProcess, useProcesses } from "./processes.ts";

const { endpoint, start } = useProcesses();

const idsOf = (deliveries: readonly Delivery[]): string[] =>
  deliveries.map(({ messageId }) => messageId).sort();

/** Publishes messages, and waits until all are being delivered. */
async function occupy(engine: EngineProcess, count: number, headers = {}): Promise<string[]> {
  endpoint.answers = () => false;
  const ids = await Promise.all(
    Array.from({ length: count }, (_, at) => engine.publish(`held/${at}`, headers)),
  );
  await expect.poll(() => endpoint.deliveries.length).toBe(count);
  return ids.sort();
}

async function statesOf(engine: EngineProcess, messageId: string): Promise<string[]> {
  const response = await engine.ask("GET", `/v2/events?messageId=${messageId}&count=100&order=earliestFirst`);
  const { events } = (await response.json()) as { readonly events: readonly { readonly state: string }[] };
  return events.map(({ state }) => state);
}

describe("an engine that is killed", () => {
  it("loses its deliveries to the others within 10 seconds, as the same attempts", async () => {
    const db = newDatabase();
    const first = await start(db);
    const ids = await occupy(first, 20);
    const second = await start(db);
    endpoint.answers = () => true;
    const held = endpoint.deliveries.splice(0);
    const killed = performance.now();
    await first.kill();
    await expect.poll(() => endpoint.deliveries.length, { interval: 20 }).toBe(20);
    expect(Math.max(...endpoint.deliveries.map(({ at }) => at)) - killed).toBeLessThan(10_000);
    expect(idsOf(endpoint.deliveries)).toEqual(ids);
    expect(new Set(endpoint.deliveries.map(({ retried }) => retried))).toEqual(new Set(["0"]));
    for (const id of ids)
      await expect.poll(() => statesOf(second, id)).toEqual(["CREATED", "ACTIVE", "ACTIVE", "DELIVERED"]);
    expect(held).toHaveLength(20);
  });

  it("leaves messages behind that it had accepted only, and places of keys and queues", async () => {
    const db = newDatabase();
    const first = await start(db);
    const flow = { [HEADER.flowControlKey]: "k", [HEADER.flowControlValue]: "parallelism=2" };
    endpoint.answers = () => false;
    const keyed = await Promise.all(Array.from({ length: 6 }, () => first.publish("keyed", flow)));
    const queued: string[] = [];
    for (let at = 0; at < 3; at++) {
      const response = await first.ask("POST", `/v2/enqueue/q/${endpoint.url("queued")}`);
      queued.push(((await response.json()) as { readonly messageId: string }).messageId);
    }
    await expect.poll(() => endpoint.deliveries.length).toBe(3);
    await start(db);
    await first.kill();
    endpoint.deliveries.splice(0);
    endpoint.answers = () => true;
    await expect.poll(() => endpoint.deliveries.length).toBe(9);
    expect(idsOf(endpoint.deliveries)).toEqual([...keyed, ...queued].sort());
    const order = endpoint.deliveries
      .filter(({ path }) => path === "queued")
      .map(({ messageId }) => messageId);
    expect(order).toEqual(queued);
  });
});

describe("an engine that is frozen past its lease, and wakes", () => {
  it("settles nothing that another one has taken over, and goes on", async () => {
    const db = newDatabase();
    const first = await start(db);
    const report = { [HEADER.callback]: endpoint.url("report") };
    const ids = await occupy(first, 10, report);
    const second = await start(db);
    const held = endpoint.deliveries.splice(0);
    endpoint.answers = () => true;
    first.command.child.kill("SIGSTOP");
    // Each message and its report.
    await expect.poll(() => endpoint.deliveries.length).toBe(20);
    for (const one of held) one.answer(500);
    first.command.child.kill("SIGCONT");
    // It has read the answers once it serves requests again.
    await expect.poll(async () => (await first.ask("GET", "/ready")).status).toBe(200);
    await second.kill();
    const later = await first.publish("later");
    await expect.poll(() => idsOf(endpoint.deliveries)).toContain(later);
    const messages = endpoint.deliveries.filter(({ path }) => path.startsWith("held"));
    expect(idsOf(messages)).toEqual(ids);
    const reports = endpoint.deliveries
      .filter(({ path }) => path === "report")
      .map(({ text }) => JSON.parse(text));
    expect(reports.map(({ sourceMessageId }) => sourceMessageId).sort()).toEqual(ids);
    expect(new Set(reports.map(({ status }) => status))).toEqual(new Set([200]));
    for (const id of ids)
      expect(await statesOf(first, id)).toEqual(["CREATED", "ACTIVE", "ACTIVE", "DELIVERED"]);
  });
});

describe("a restart of the PostgreSQL server", () => {
  it("ends no engine, and loses nothing that was acknowledged", async () => {
    const server = await startPostgres();
    try {
      const engines = await Promise.all([start(server.url), start(server.url)]);
      const acknowledged: string[] = [];
      let over = false;
      const publishers = engines.map(async (engine, one) => {
        for (let at = 0; !over; at++) {
          const response = await engine.ask("POST", `/v2/publish/${endpoint.url(`${one}/${at}`)}`);
          const body = (await response.json()) as { readonly messageId: string };
          if (response.status === 200) acknowledged.push(body.messageId);
        }
      });
      for (let round = 0; round < 2; round++) {
        const before = acknowledged.length;
        await expect.poll(() => acknowledged.length).toBeGreaterThan(before + 50);
        await server.restart();
      }
      const after = acknowledged.length;
      await expect.poll(() => acknowledged.length).toBeGreaterThan(after + 50);
      over = true;
      await Promise.all(publishers);
      await expect
        .poll(
          () => {
            const delivered = new Set(idsOf(endpoint.deliveries));
            return acknowledged.filter((id) => !delivered.has(id)).length;
          },
          { interval: 100 },
        )
        .toBe(0);
      for (const { command, url } of engines) {
        expect(command.child.exitCode).toBeNull();
        expect((await fetch(`${url}/ready`)).status).toBe(200);
      }
      for (const { command } of engines) {
        command.child.kill("SIGTERM");
        expect(await command.exit()).toBe(0);
      }
    } finally {
      await server.stop();
    }
  });
});
