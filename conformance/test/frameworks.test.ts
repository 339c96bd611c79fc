import { runtimes, startApp } from "../src/runtimes.ts";
import { conformance } from "../src/suite.ts";

const { node24, bun } = runtimes;

for (const [adapter, framework, app, runtime] of [
  ["express", "Express 4", "express4", node24],
  ["express", "Express 5", "express5", node24],
  ["fastify", "Fastify 5", "fastify", node24],
  ["koa", "Koa 3", "koa", node24],
  ["h3", "h3 1", "h3v1", node24],
  ["h3", "h3 2", "h3", node24],
  ["elysia", "Elysia 1", "elysia", bun],
] as const) {
  conformance({ adapter, framework, runtime: runtime.name }, startApp(app, runtime));
}
