import { runtimes, startApp } from "../src/runtimes.ts";
import { conformance } from "../src/suite.ts";

const { node20, node22, node24, bun, deno, workerd, workerdCompat } = runtimes;

for (const [runtime, app] of [
  [node20, "hono-node"],
  [node22, "hono-node"],
  [node24, "hono-node"],
  [bun, "hono-bun"],
  [deno, "hono-deno"],
  [workerd, "hono"],
  [workerdCompat, "hono"],
] as const) {
  conformance({ adapter: "hono", framework: "Hono 4", runtime: runtime.name }, startApp(app, runtime));
}
