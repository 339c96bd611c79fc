import { conformance } from "../src/suite.ts";
import { quickstart } from "./quickstart.ts";
import { build, start } from "./server.ts";

build("astro");

const app = start({ file: "astro/dist/server/entry.mjs" });

conformance({ adapter: "astro", framework: "Astro 7", runtime: "Node 24" }, app, { routesByMethod: true });

quickstart("astro", app);
