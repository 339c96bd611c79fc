import { conformance } from "../src/suite.ts";
import { quickstart } from "./quickstart.ts";
import { build, start } from "./server.ts";

build("tanstack-start");

const app = start({ file: "tanstack-start/.output/server/index.mjs" });

conformance({ adapter: "tanstack-start", framework: "TanStack Start 1", runtime: "Node 24" }, app, {
  routesByMethod: true,
});

quickstart("tanstack-start", app);
