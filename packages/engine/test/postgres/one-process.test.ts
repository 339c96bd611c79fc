import { Client, type Handler, serve } from "@perdure/core";
import { newDatabase } from "@perdure/test-support/postgres-database";
import { expect, it, onTestFinished } from "vitest";
import { createEngine, type Engine, ManualClock, openPostgres } from "../../src/index.ts";

// Each machine has an engine and the endpoint in one process, and all of them share a database.

const URL = "https://app.test/order";
const CREDENTIALS = { token: "a-token", signingKeys: { current: "sig_a", next: "sig_b" } };

interface Machine {
  readonly engine: Engine;
  readonly client: Client;
  /** The steps that its endpoint has run. */
  readonly steps: string[];
  stop(): Promise<void>;
}

async function bootMachine(database: string, clock: ManualClock): Promise<Machine> {
  const store = await openPostgres(database);
  const steps: string[] = [];
  let handler: Handler | undefined;
  const engine = createEngine({
    ...CREDENTIALS,
    store,
    clock,
    concurrency: 2,
    endpoints: { "https://app.test": (request) => (handler as Handler)(request) },
  });
  ({ handler } = serve<number, string[]>(
    async (context) => {
      const of = context.requestPayload;
      const first = await context.run("first", async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        steps.push(`${of} first`);
        return `${of} first`;
      });
      await context.sleep("a day", "1d");
      const second = await context.run("second", () => {
        steps.push(`${of} second`);
        return `${of} second`;
      });
      return [first, second];
    },
    { qstashClient: engine.client(), keys: CREDENTIALS.signingKeys },
  ));
  engine.start();
  const stop = async (): Promise<void> => {
    await engine.stop();
    await store.close();
  };
  onTestFinished(stop);
  return { engine, client: new Client(engine.client()), steps, stop };
}

it("machines with an engine and an endpoint each share the runs, and go on with those of a machine that stops", async () => {
  const database = newDatabase();
  const clock = new ManualClock();
  const one = await bootMachine(database, clock);
  const other = await bootMachine(database, clock);
  const numbers = Array.from({ length: 30 }, (_, at) => at);
  const started = await Promise.all(numbers.map((body) => one.client.trigger({ url: URL, body })));
  await expect.poll(() => one.steps.length + other.steps.length).toBe(numbers.length);
  await Promise.all([one.engine.idle(), other.engine.idle()]);
  expect(one.steps.length).toBeGreaterThan(0);
  expect(other.steps.length).toBeGreaterThan(0);
  await one.stop();
  clock.advance(86_400_000);
  for (const [at, { workflowRunId }] of started.entries()) {
    await expect
      .poll(async () => (await other.client.runs.get(workflowRunId))?.result)
      .toEqual([`${at} first`, `${at} second`]);
  }
  const done = [...one.steps, ...other.steps].sort();
  expect(done).toEqual(numbers.flatMap((at) => [`${at} first`, `${at} second`]).sort());
  expect(other.steps.filter((step) => step.endsWith("second"))).toHaveLength(numbers.length);
});
