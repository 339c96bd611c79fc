import { conformance } from "../src/suite.ts";
import { quickstart } from "./quickstart.ts";
import { build, start } from "./server.ts";

build("nuxt");

const app = start({ file: "nuxt/.output/server/index.mjs" });

conformance({ adapter: "h3", framework: "Nuxt 4", runtime: "Node 24" }, app);

quickstart("nuxt", app);
