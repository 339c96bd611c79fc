// The floor in one process: the same rows with the same flushes, one after the other for each run, on the PostgreSQL database that
// its argument names. It has no engine, no endpoint and no signatures, and can't retry, replay or recover anything.
import { contend } from "./contender.ts";
import { openStore } from "./floor-store.ts";

const [databaseUrl] = process.argv.slice(2);
const store = await openStore(databaseUrl);

async function run(steps: number): Promise<void> {
  const key = await store.start("http://in-process.test/workflow", JSON.stringify(steps));
  let position = 2;
  const next = (name: string, out: number) => {
    return { run: key, position: position++, name, body: JSON.stringify({ name, out }) };
  };
  await store.append([next("claim", 0)]);
  // The last step's result goes with the end of the run.
  for (let step = 0; step < steps - 1; step++) await store.append([next(`step ${step}`, step)]);
  await store.end(next("end", steps));
}

await contend(
  async (runs, steps) => {
    await Promise.all(Array.from({ length: runs }, () => run(steps)));
  },
  () => store.close(),
);
