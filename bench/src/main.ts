import { claims } from "./claiming.ts";
import { deliveries } from "./delivery.ts";
import type { Comparison } from "./measure.ts";
import { memory } from "./memory.ts";
import { stalls } from "./stalls.ts";

const MIB = 1024 * 1024;

function line(name: string, value: string, unit: string): void {
  console.log(`  ${name.padEnd(44)} ${value.padStart(8)} ${unit}`);
}

function show({ title, ours, peer, ratio }: Comparison, bar?: number): void {
  console.log(title);
  for (const { name, ms } of [ours, peer]) line(name, ms.toFixed(3), "ms");
  line("ratio", ratio.toFixed(2), bar === undefined ? "\n" : `bar: at most ${bar}\n`);
}

for (const steps of [10, 100]) show(await deliveries(steps));

const small = { runs: 1000, messages: 0 };
show(
  await claims(
    "20 claims among 1 000 000 sleeping runs, and among 1 000",
    { ...small, runs: 1_000_000 },
    small,
  ),
  1.5,
);
show(
  await claims(
    "20 claims among 100 000 waiting messages, and among 1 000",
    { runs: 0, messages: 100_000 },
    { runs: 0, messages: 1000 },
  ),
  1.5,
);

const { full, idle, ratio } = await memory(100_000);
console.log("an engine with 100 000 sleeping runs, and an idle one");
line("full", (full / MIB).toFixed(1), "MiB");
line("idle", (idle / MIB).toFixed(1), "MiB");
line("ratio", ratio.toFixed(2), "bar: at most 1.5");

console.log("\nwhat others notice of the largest requests: their longest waits");
for (const { title, health, delivery } of await stalls()) {
  line(`${title}: /health`, health.toFixed(0), "ms, goal: below 100");
  line(`${title}: a delivery`, delivery.toFixed(0), "ms, goal: below 100");
}
