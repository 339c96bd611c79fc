import { setTimeout } from "node:timers/promises";
import { Client, type Handler, serve } from "@perdure/core";
import { type PostgresServer, type Standby, startPostgres } from "@perdure/test-support/postgres-server";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createEngine, openPostgres } from "../../src/index.ts";
import { type Relay, startRelay } from "./relay.ts";

const URL = "https://app.test/order";
const SIGNING_KEYS = { current: "sig_a", next: "sig_b" };
const RUNS = 25;
const STEPS = 40;

let primary: PostgresServer;
let standby: Standby;
let relay: Relay;
beforeAll(async () => {
  primary = await startPostgres();
  const database = await primary.createDatabase();
  standby = await primary.addStandby(database);
  relay = await startRelay(database);
}, 60_000);
afterAll(async () => {
  await relay?.stop();
  await standby?.stop();
  await primary?.stop();
});

/** What a step has noted when it ran. */
interface Note {
  readonly run: number;
  /** The result of this execution. */
  readonly own: string;
  /** The results of the steps before. */
  readonly seen: readonly string[];
}

it("an engine goes on with a standby that is promoted, and no record that was acknowledged is lost", async () => {
  const store = await openPostgres(relay.url);
  const notes: Note[] = [];
  let handler: Handler | undefined;
  const engine = createEngine({
    store,
    token: "a-token",
    signingKeys: SIGNING_KEYS,
    endpoints: { "https://app.test": (request) => (handler as Handler)(request) },
  });
  ({ handler } = serve<number, string[]>(
    async (context) => {
      const seen: string[] = [];
      for (let step = 0; step < STEPS; step++) {
        const result = await context.run(`step ${step}`, async () => {
          const own = crypto.randomUUID();
          notes.push({ run: context.requestPayload, own, seen: [...seen] });
          await setTimeout(2);
          return own;
        });
        seen.push(result);
      }
      return seen;
    },
    { qstashClient: engine.client(), keys: SIGNING_KEYS },
  ));
  engine.start();
  const client = new Client(engine.client());
  const started = await Promise.all(
    Array.from({ length: RUNS }, (_, run) => client.trigger({ url: URL, body: run })),
  );
  await expect.poll(() => notes.length, { interval: 1 }).toBeGreaterThan(RUNS * 5);
  await primary.kill();
  const before = notes.length;
  expect(before).toBeLessThan(RUNS * STEPS);
  // The address leads to the standby before that takes changes.
  relay.turnTo(standby.url);
  await setTimeout(200);
  await standby.promote();
  for (const [run, { workflowRunId }] of started.entries()) {
    const resultOf = (): Promise<unknown> =>
      client.runs
        .get(workflowRunId)
        .then((found) => found?.result)
        .catch(() => undefined);
    await expect.poll(resultOf, { timeout: 60_000 }).toHaveLength(STEPS);
    const result = await resultOf();
    for (const { seen } of notes.filter((note) => note.run === run))
      expect(seen).toEqual((result as string[]).slice(0, seen.length));
  }
  expect(notes.length).toBeGreaterThan(before);
  await engine.stop();
  await store.close();
}, 120_000);
