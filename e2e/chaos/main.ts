import { mkdirSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { chaos } from "./chaos.ts";
import { PROMISES } from "./promises.ts";
import type { Progress } from "./workload.ts";

// The long version of the chaos test.
const USAGE = `npm run chaos -- [--store sqlite|postgres] [--runs N] [--seconds N] [--seed N] [--folder PATH]

Default: 1000 runs on PostgreSQL, started over 100 seconds, with a random seed. The history stays in the folder, .chaos.`;

const { store, runs, seconds, seed, folder } = readArguments();

function readArguments() {
  try {
    return parse();
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}

/** @throws TypeError that names the option */
function parse() {
  const { values } = parseArgs({
    options: {
      store: { type: "string", default: "postgres" },
      runs: { type: "string", default: "1000" },
      seconds: { type: "string" },
      seed: { type: "string" },
      folder: { type: "string", default: ".chaos" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const { store } = values;
  const [runs, seed] = [Number(values.runs), Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))];
  const seconds = Number(values.seconds ?? Math.max(20, runs / 10));
  if (store !== "sqlite" && store !== "postgres")
    throw new TypeError(`--store must be sqlite or postgres; got "${store}".`);
  for (const [name, value] of Object.entries({ runs, seconds, seed }))
    if (!Number.isFinite(value) || value < 0) throw new TypeError(`--${name} must be a number.`);
  return { store, runs, seconds, seed, folder: resolve(process.env.INIT_CWD ?? ".", values.folder) } as const;
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
console.log(`${runs} runs on ${store} in ${seconds} seconds, seed ${seed}; the history is in ${folder}`);

const began = performance.now();
let said = 0;
const onProgress = ({ ended }: Progress): void => {
  if (ended - said < runs / 10) return;
  said = ended;
  console.log(`${ended} runs have ended after ${((performance.now() - began) / 1000).toFixed(0)} s`);
};
const { violations, figures } = await chaos({
  store,
  runs,
  seed,
  duration: seconds * 1000,
  folder,
  durable: true,
  onProgress,
});
console.log(`\nafter ${((performance.now() - began) / 1000).toFixed(0)} s:`);
console.dir(figures, { depth: 5 });
for (const { promise, of, text } of violations)
  console.log(`broken: ${promise} "${PROMISES[promise]}", ${of}: ${text}`);
console.log(
  violations.length === 0
    ? "every promise was kept"
    : `${violations.length} violations; repeat with --seed ${seed}`,
);
process.exitCode = violations.length === 0 ? 0 : 1;
