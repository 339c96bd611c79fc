import { conformance } from "../src/suite.ts";
import { quickstart } from "./quickstart.ts";
import { build, start } from "./server.ts";

build("sveltekit");

const app = start({
  file: "sveltekit/build/index.js",
  // Its server takes itself to be behind TLS, and bodies of at most 512 KiB.
  env: (origin) => ({ UPSTASH_WORKFLOW_URL: origin, BODY_SIZE_LIMIT: "2M" }),
});

conformance({ adapter: "sveltekit", framework: "SvelteKit 3", runtime: "Node 24" }, app, {
  routesByMethod: true,
  seenAsHttps: true,
});

quickstart("sveltekit", app);
