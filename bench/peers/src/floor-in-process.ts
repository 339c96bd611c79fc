// The floor in one process: the same signed request, with the same rows and flushes, one after the other for each run, on the
// PostgreSQL database that its argument names. It has no engine and no runtime, and can't retry, replay or recover anything.
import { contend } from "./contender.ts";
import { openStore } from "./floor-store.ts";
import { callLocally } from "./floor-wire.ts";

const URL = "http://in-process.test/workflow";
const [databaseUrl] = process.argv.slice(2);
const store = await openStore(databaseUrl);

const deliver = callLocally(async (_path, body) => {
  const { run, steps } = JSON.parse(body) as { readonly run: number; readonly steps: number };
  let position = 3;
  // The last step's result goes with the end of the run.
  for (let step = 0; step < steps - 1; step++)
    await store.append([
      { run, position: position++, name: `step ${step}`, body: JSON.stringify({ out: step }) },
    ]);
  return position;
});

async function run(steps: number): Promise<void> {
  const key = await store.start(URL, JSON.stringify(steps));
  await store.append([{ run: key, position: 2, name: "claim", body: "{}" }]);
  const position = (await deliver(URL, JSON.stringify({ run: key, steps }))) as number;
  await store.end({ run: key, position, name: "end", body: JSON.stringify(steps) });
}

await contend(
  async (runs, steps) => {
    await Promise.all(Array.from({ length: runs }, () => run(steps)));
  },
  () => store.close(),
);
