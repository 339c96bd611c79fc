import { Client, serve } from "@perdure/core";
import { createEngine } from "../../src/engine.ts";
import { openWithoutThreads } from "../../src/open-sqlite.ts";
import { expect, it, run } from "./vitest.ts";

const CREDENTIALS = { token: "a-token", signingKeys: { current: "sig_a", next: "sig_b" } };

it("an engine and an endpoint in one process need no HTTP", async () => {
  const { store } = openWithoutThreads(":memory:", { now: Date.now });
  const engine = createEngine({
    ...CREDENTIALS,
    store,
    search: false,
    endpoints: { "https://app.test": (request) => handler(request) },
  });
  const failures: string[] = [];
  const { handler } = serve<number, number>(
    async (context) => {
      const [one, two] = await Promise.all([
        context.run("one", () => context.requestPayload + 1),
        context.run("two", () => context.requestPayload + 2),
      ]);
      await context.sleep("a moment", "10ms");
      if (context.requestPayload < 0) throw new Error("below zero");
      return one * two;
    },
    {
      qstashClient: engine.client(),
      keys: CREDENTIALS.signingKeys,
      retries: 0,
      failureFunction: ({ failResponse }) => void failures.push(failResponse),
    },
  );
  engine.start();
  const client = new Client(engine.client());
  const outcomeOf = async (body: number): Promise<unknown> => {
    const { workflowRunId } = await client.trigger({ url: "https://app.test/wf", body });
    return (await client.runs.wait(workflowRunId, { failureFunction: "wait" })).result;
  };
  expect(await Promise.all([outcomeOf(3), outcomeOf(4)])).toEqual([20, 30]);
  expect(await outcomeOf(-5)).toBe(undefined);
  expect(failures).toEqual([expect.stringContaining("below zero")]);
  await engine.stop();
  await store.close();
});

process.exit((await run()) === 0 ? 0 : 1);
