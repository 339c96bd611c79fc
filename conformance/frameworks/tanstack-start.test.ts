import { conformance } from "../src/suite.ts";
import { start } from "./server.ts";

conformance(
  { adapter: "tanstack-start", framework: "TanStack Start 1", runtime: "Node 24" },
  start({ file: "tanstack-start/.output/server/index.mjs" }),
  { routesByMethod: true },
);
