import { conformance } from "../src/suite.ts";
import { start } from "./server.ts";

conformance(
  { adapter: "astro", framework: "Astro 7", runtime: "Node 24" },
  start({ file: "astro/dist/server/entry.mjs" }),
  { routesByMethod: true },
);
