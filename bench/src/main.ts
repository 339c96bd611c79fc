import { deliveries } from "./delivery.ts";

for (const steps of [10, 100]) {
  const { title, ours, peer, ratio } = await deliveries(steps);
  console.log(title);
  for (const { name, ms } of [ours, peer])
    console.log(`  ${name.padEnd(20)} ${ms.toFixed(3).padStart(8)} ms`);
  console.log(`  ${"ratio".padEnd(20)} ${ratio.toFixed(2).padStart(8)}\n`);
}
