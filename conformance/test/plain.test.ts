import { runtimes, startApp } from "../src/runtimes.ts";
import { conformance } from "../src/suite.ts";

const { node20, node22, node24, bun, deno, workerd, workerdCompat } = runtimes;

for (const [runtime, app, framework] of [
  [node20, "node", "node:http"],
  [node22, "node", "node:http"],
  [node24, "node", "node:http"],
  [bun, "bun", "Bun.serve"],
  [deno, "deno", "Deno.serve"],
  [workerd, "cloudflare", "Cloudflare Workers"],
  [workerdCompat, "cloudflare", "Cloudflare Workers"],
] as const) {
  conformance({ adapter: app, framework, runtime: runtime.name }, startApp(app, runtime));
}
