import { conformance } from "../src/suite.ts";
import { start } from "./server.ts";

conformance(
  { adapter: "solid-start", framework: "SolidStart 2", runtime: "Node 24" },
  start({ file: "solid-start/.output/server/index.mjs" }),
  { routesByMethod: true },
);
