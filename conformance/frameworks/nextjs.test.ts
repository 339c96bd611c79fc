import { conformance } from "../src/suite.ts";
import { quickstart } from "./quickstart.ts";
import { build, here, start } from "./server.ts";

build("nextjs");

const next = {
  file: "nextjs/node_modules/next/dist/bin/next",
  args: (port: string) => ["start", here("nextjs"), "--hostname", "127.0.0.1", "--port", port],
};
// The app router calls every loopback address by this name.
const appRouter = start({ ...next, prefix: "/workflows", host: "localhost" });
// The same routes, each with `export const runtime = "edge"`: in a sandbox that has Node's names and throws for most of them.
const edgeRuntime = start({ ...next, prefix: "/edge", host: "localhost" });
const pagesRouter = start(next);
const writesQueryAnew = true;

conformance({ adapter: "nextjs", framework: "Next.js 16, app router", runtime: "Node 24" }, appRouter, {
  writesQueryAnew,
  routesByMethod: true,
});

conformance(
  { adapter: "nextjs", framework: "Next.js 16, app router", runtime: "Next.js edge" },
  edgeRuntime,
  { writesQueryAnew, routesByMethod: true },
);

conformance(
  { adapter: "nextjs-pages", framework: "Next.js 16, pages router", runtime: "Node 24" },
  pagesRouter,
  { writesQueryAnew },
);

quickstart("nextjs", appRouter, "/welcome");
quickstart("nextjs", pagesRouter);
