import { conformance } from "../src/suite.ts";
import { start } from "./server.ts";

conformance(
  { adapter: "sveltekit", framework: "SvelteKit 3", runtime: "Node 24" },
  start({ file: "sveltekit/build/index.js", env: (origin) => ({ ORIGIN: origin, BODY_SIZE_LIMIT: "2M" }) }),
  { routesByMethod: true },
);
