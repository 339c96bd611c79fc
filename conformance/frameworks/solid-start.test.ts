import { conformance } from "../src/suite.ts";
import { quickstart } from "./quickstart.ts";
import { start } from "./server.ts";

const app = start({ file: "solid-start/.output/server/index.mjs" });

conformance({ adapter: "solid-start", framework: "SolidStart 2", runtime: "Node 24" }, app, {
  routesByMethod: true,
});

quickstart("solid-start", app);
