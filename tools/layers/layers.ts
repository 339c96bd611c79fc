/** What each place may import (`allowed`) and may not (`forbidden`). The rules themselves are in biome.json. */
export type Place = { file: string; allowed: readonly string[]; forbidden: readonly string[] };

/** In no package does a path go down into a folder to come up beside it. */
const detour = "./kernel/../index.ts";

const core: readonly Place[] = [
  {
    file: "packages/core/src/kernel/place.ts",
    allowed: ["./errors.ts"],
    forbidden: [
      "../protocol/index.ts",
      "../context.ts",
      "../index.ts",
      "jose",
      "@upstash/qstash",
      "node:crypto",
    ],
  },
  {
    file: "packages/core/src/protocol/place.ts",
    allowed: ["./headers.ts", "../kernel/errors.ts"],
    forbidden: ["../border/mail.ts", "../steps/run.ts", "../run.ts", "jose", "@upstash/qstash", detour],
  },
  {
    file: "packages/core/src/border/place.ts",
    allowed: ["./mail.ts", "../kernel/errors.ts", "../protocol/index.ts", "jose", "@upstash/qstash"],
    forbidden: [
      "../steps/run.ts",
      "../context.ts",
      "../run.ts",
      "../deliveries/start.ts",
      "../serve.ts",
      "hono",
    ],
  },
  {
    file: "packages/core/src/steps/place.ts",
    allowed: ["./step.ts", "../kernel/errors.ts", "../protocol/index.ts", "../border/engine.ts"],
    forbidden: [
      "../context.ts",
      "../workflow.ts",
      "../run.ts",
      "../deliveries/start.ts",
      "../client/client.ts",
    ],
  },
  {
    file: "packages/core/src/context.ts",
    allowed: [
      "./kernel/errors.ts",
      "./protocol/index.ts",
      "./border/engine.ts",
      "./steps/run.ts",
      "./workflow.ts",
    ],
    forbidden: ["./run.ts", "./group.ts", "./deliveries/start.ts", "./serve.ts", "./index.ts"],
  },
  {
    file: "packages/core/src/run.ts",
    allowed: ["./steps/run.ts", "./context.ts", "./workflow.ts", "./group.ts"],
    forbidden: [
      "./deliveries/start.ts",
      "./serve.ts",
      "./client/client.ts",
      "./index.ts",
      "node:timers",
      "undici",
    ],
  },
  {
    file: "packages/core/src/deliveries/place.ts",
    allowed: ["./start.ts", "../run.ts", "../middleware.ts", "../context.ts", "../border/mail.ts"],
    forbidden: ["../serve.ts", "../client/client.ts", "../index.ts", "hono", "node:http"],
  },
  {
    file: "packages/core/src/serve.ts",
    allowed: ["./deliveries/start.ts", "./run.ts", "./client/client.ts", "jose", "@upstash/qstash"],
    forbidden: ["hono", "undici", "node:http", "http", "zod", "@upstash/workflow", "@perdure/engine", detour],
  },
  {
    file: "packages/core/src/client/place.ts",
    allowed: ["./logs.ts", "../protocol/index.ts", "../border/settings.ts", "@upstash/qstash"],
    forbidden: ["hono", "undici", "node:http", "../../package.json"],
  },
];

const adapters: readonly Place[] = [
  {
    file: "packages/adapters/src/internal/place.ts",
    allowed: ["./body.ts", "@perdure/core"],
    forbidden: ["../node.ts", "@perdure/core/protocol", "@perdure/engine", "astro", "express", "node:http"],
  },
  {
    file: "packages/adapters/src/hono.ts",
    allowed: ["@perdure/core", "astro", "./place.ts", "./internal/body.ts"],
    forbidden: [
      "@perdure/core/protocol",
      "@perdure/core/src/serve.ts",
      "../../core/src/serve.ts",
      "@perdure/engine",
      "@upstash/qstash",
      "jose",
      "hono",
      "node:http",
    ],
  },
];

const engine: readonly Place[] = [
  {
    file: "packages/engine/src/domain/place.ts",
    allowed: ["./retry.ts", "@perdure/core/protocol", "croner"],
    forbidden: [
      "../store/store.ts",
      "../delivery/attempt.ts",
      "../http/app.ts",
      "../engine.ts",
      "@perdure/core",
      "hono",
      "node:fs",
    ],
  },
  {
    file: "packages/engine/src/store/place.ts",
    allowed: ["./store.ts", "./sqlite/store.ts", "../domain/run.ts", "node:fs", "@perdure/core/protocol"],
    forbidden: [
      "../delivery/attempt.ts",
      "../http/app.ts",
      "../engine.ts",
      "@perdure/core",
      "node:sqlite",
      "undici",
    ],
  },
  {
    file: "packages/engine/src/store/sqlite/place.ts",
    allowed: ["./rows.ts", "../store.ts", "../../domain/run.ts", "node:sqlite", "@perdure/core/protocol"],
    forbidden: [
      "../postgres/store.ts",
      "../../delivery/attempt.ts",
      "../../http/app.ts",
      "@perdure/core",
      "undici",
    ],
  },
  {
    file: "packages/engine/src/store/postgres/place.ts",
    allowed: ["./rows.ts", "../store.ts", "../../domain/run.ts"],
    forbidden: ["../sqlite/store.ts", "node:sqlite", "../../delivery/attempt.ts"],
  },
  {
    file: "packages/engine/src/delivery/place.ts",
    allowed: [
      "./attempt.ts",
      "../domain/run.ts",
      "../store/store.ts",
      "jose",
      "ipaddr.js",
      "@perdure/core/protocol",
    ],
    forbidden: [
      "../store/sqlite/store.ts",
      "../http/app.ts",
      "../engine.ts",
      "hono",
      "node:sqlite",
      "@perdure/core",
    ],
  },
  {
    file: "packages/engine/src/http/place.ts",
    allowed: [
      "./app.ts",
      "../domain/run.ts",
      "../store/store.ts",
      "../delivery/lease.ts",
      "hono",
      "hono/http-exception",
      "zod",
    ],
    forbidden: [
      "../store/sqlite/store.ts",
      "../engine.ts",
      "../cli.ts",
      "node:sqlite",
      "undici",
      "@perdure/core",
    ],
  },
  {
    file: "packages/engine/src/engine.ts",
    allowed: [
      "./domain/run.ts",
      "./store/sqlite/store.ts",
      "./delivery/dispatcher.ts",
      "./http/app.ts",
      "./config.ts",
    ],
    forbidden: [
      "./cli.ts",
      "./cli/dev.ts",
      "./index.ts",
      "commander",
      "picocolors",
      "node:sqlite",
      "@perdure/core",
    ],
  },
  {
    file: "packages/engine/src/cli.ts",
    allowed: ["./engine.ts", "./config.ts", "./cli/dev.ts", "commander", "picocolors", "@hono/node-server"],
    forbidden: ["node:sqlite", "@perdure/core", "@perdure/core/src/index.ts", "@perdure/adapters/node"],
  },
  {
    file: "packages/engine/src/cli/place.ts",
    allowed: ["./output.ts", "../engine.ts", "commander", "picocolors"],
    forbidden: ["node:sqlite", "@perdure/core", "../../../core/src/protocol/index.ts"],
  },
];

export const places: readonly Place[] = [...core, ...adapters, ...engine];

/** The folders that have a floor. Another one needs a rule in biome.json and a place in the tables above. */
export const floors: Readonly<Record<string, readonly string[]>> = {
  "packages/core/src": ["kernel", "protocol", "border", "steps", "replay", "deliveries", "client"],
  "packages/adapters/src": ["internal"],
  "packages/engine/src": ["domain", "store", "delivery", "http", "cli"],
};
