import { appendFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { Client, serve } from "@perdure/core";
import { createEngine } from "@perdure/engine";

// An engine and an endpoint in one process, which a test kills at any moment: `node one-process-app.ts DATABASE DIARY RUNS`.
// It starts the runs that the database doesn't have, waits for all of them, and prints their results.
const [, , store = "", diary = "", runs] = process.argv;
const STEPS = 12;
const ORIGIN = "https://app.test";
const signingKeys = { current: "sig_a", next: "sig_b" };
const engine = createEngine({
  store,
  token: "a-token",
  signingKeys,
  endpoints: { [ORIGIN]: (request) => handler(request) },
});

/** A step returns something else each time that it runs, and notes what it sees of those before it. */
const { handler } = serve<number, string[]>(
  async (context) => {
    const seen: string[] = [];
    for (let step = 0; step < STEPS; step++) {
      const result = await context.run(`step ${step}`, async () => {
        const own = crypto.randomUUID();
        appendFileSync(diary, `${JSON.stringify({ run: context.requestPayload, step, own, seen })}\n`);
        await setTimeout(2);
        return own;
      });
      seen.push(result);
    }
    return seen;
  },
  { qstashClient: engine.client(), keys: signingKeys },
);
engine.start();

const client = new Client(engine.client());
const results = await Promise.all(
  Array.from({ length: Number(runs) }, async (_, run) => {
    const workflowRunId = `wfr_${run}`;
    // A run that has ended would be started anew.
    if (!(await client.runs.get(workflowRunId)))
      await client.trigger({ url: `${ORIGIN}/wf`, body: run, workflowRunId: `${run}` });
    return (await client.runs.wait(workflowRunId)).result;
  }),
);
console.log(`results ${JSON.stringify(results)}`);
await engine.stop();
