import { answers } from "./answers.ts";
import { claims } from "./claiming.ts";
import { deliveriesBesideDashboard } from "./dashboard.ts";
import { deliveries } from "./delivery.ts";
import { isMet, type Row } from "./measure.ts";
import { memory } from "./memory.ts";
import { ONLY, peers, SETTINGS } from "./peers.ts";
import { pressure } from "./pressure.ts";
import { print, write } from "./results.ts";
import { bytesOfRuns, stepsWithSearch, timePerStep } from "./runs.ts";
import { shapes, soak } from "./shapes.ts";
import { bundle } from "./size.ts";
import { stalls } from "./stalls.ts";

const SMALL = { runs: 1000, messages: 0 };

/**
 * Every benchmark. `npm run bench` runs all but {@link NAMED}, and writes `bench/results.md`; `npm run bench -- peers` writes
 * `bench/results-peers.md`, unless `PEERS` names some of them; other names, one or several, only print.
 */
const BENCHMARKS: Readonly<Record<string, () => AsyncIterable<Row> | Iterable<Row>>> = {
  async *runtime() {
    for (const steps of [10, 100]) yield await deliveries(steps);
  },
  async *bundle() {
    yield await bundle();
  },
  async *inline() {
    for (const steps of [10, 100, 1000]) yield await bytesOfRuns(steps);
    yield await timePerStep();
  },
  async *claims() {
    yield await claims(
      "claims among 1 000 000 sleeping runs ÷ among 1 000",
      { ...SMALL, runs: 1_000_000 },
      SMALL,
    );
    yield await claims(
      "claims among 100 000 waiting messages ÷ among 1 000",
      { runs: 0, messages: 100_000 },
      { runs: 0, messages: 1000 },
    );
  },
  async *memory() {
    yield await memory(100_000);
  },
  async *stalls() {
    for (const { title, health, delivery } of await stalls()) {
      yield longestWait(`/health beside ${title}`, health);
      yield longestWait(`a delivery beside ${title}`, delivery);
    }
  },
  async *search() {
    yield await stepsWithSearch();
  },
  async *dashboard() {
    yield await deliveriesBesideDashboard();
  },
  async *answers() {
    yield* await answers();
  },
  shapes,
  pressure,
  soak,
  peers,
};

/** The benchmarks that run only when they are named: they take minutes, or install other engines. */
const NAMED = ["pressure", "soak", "peers"];

/** The longest wait, divided by the 100 ms that it may take. */
function longestWait(name: string, ms: number): Row {
  return { name: `${name} ÷ 100 ms`, ratios: [ms / 100], bar: { atMost: 1 }, figures: `${ms.toFixed(0)} ms` };
}

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !Object.hasOwn(BENCHMARKS, name));
if (unknown !== undefined) {
  console.error(`There is no benchmark "${unknown}". There are: ${Object.keys(BENCHMARKS).join(", ")}.`);
  process.exit(1);
}
const rows: Row[] = [];
for (const [name, run] of Object.entries(BENCHMARKS)) {
  if (asked.length > 0 ? !asked.includes(name) : NAMED.includes(name)) continue;
  for await (const row of run()) {
    print(row);
    rows.push(row);
  }
}
console.log(`${rows.filter(isMet).length} of ${rows.length} rows reach their bar.`);
if (asked.length === 0) write("results.md", rows, []);
if (asked.join() === "peers" && ONLY === undefined) write("results-peers.md", rows, SETTINGS);
