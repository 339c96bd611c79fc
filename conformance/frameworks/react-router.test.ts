import { conformance } from "../src/suite.ts";
import { here, start } from "./server.ts";

conformance(
  { adapter: "react-router", framework: "React Router 8", runtime: "Node 24" },
  start({
    file: "react-router/node_modules/@react-router/serve/bin.cjs",
    args: () => [here("react-router/build/server/index.js")],
  }),
  { routesByMethod: true },
);
