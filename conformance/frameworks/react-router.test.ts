import { conformance } from "../src/suite.ts";
import { quickstart } from "./quickstart.ts";
import { build, here, start } from "./server.ts";

build("react-router");

const app = start({
  file: "react-router/node_modules/@react-router/serve/bin.cjs",
  args: () => [here("react-router/build/server/index.js")],
});

conformance({ adapter: "react-router", framework: "React Router 8", runtime: "Node 24" }, app, {
  routesByMethod: true,
});

quickstart("react-router", app);
