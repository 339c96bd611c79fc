import { conformance } from "../src/suite.ts";
import { here, start } from "./server.ts";

const next = {
  file: "nextjs/node_modules/next/dist/bin/next",
  args: (port: string) => ["start", here("nextjs"), "--hostname", "127.0.0.1", "--port", port],
};
const traits = { routesByMethod: true };

conformance(
  { adapter: "nextjs", framework: "Next.js 16, app router", runtime: "Node 24" },
  start({ ...next, prefix: "/workflows" }),
  traits,
);

conformance(
  { adapter: "nextjs-pages", framework: "Next.js 16, pages router", runtime: "Node 24" },
  start(next),
);
