import { conformance } from "../src/suite.ts";
import { start } from "./server.ts";

conformance(
  { adapter: "h3", framework: "Nuxt 4", runtime: "Node 24" },
  start({ file: "nuxt/.output/server/index.mjs" }),
);
