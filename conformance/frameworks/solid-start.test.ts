import { conformance } from "../src/suite.ts";
import { quickstart } from "./quickstart.ts";
import { build, start } from "./server.ts";

build("solid-start");

const app = start({ file: "solid-start/.output/server/index.mjs" });

conformance({ adapter: "solid-start", framework: "SolidStart 2", runtime: "Node 24" }, app, {
  routesByMethod: true,
});

quickstart("solid-start", app);
