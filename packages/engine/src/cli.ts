#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { newKeys } from "./cli/keys.ts";
import type { StartFlags } from "./cli/start-config.ts";
import type { Flags } from "./config.ts";

// From src/ and from dist/ alike.
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};

const program = new Command("perdure")
  .description("An open engine for durable workflows with the HTTP API of QStash.")
  .version(version);

const list = (value: string, values: string[] = []): string[] => [...values, value];

program
  .command("dev")
  .description("run an engine for development, with a database in one file")
  .option("--port <number>", "where to listen; 0 picks a free port (default: QSTASH_DEV_PORT or 8080)")
  .option("--host <name>", "on which address to listen (default: 127.0.0.1)")
  .option("--db <file>", "the database (default: .perdure/dev.db)")
  .option("--log-level <level>", "silent, error, info or debug (default: info)")
  .option(
    "--token <token>",
    "what clients must show (default: QSTASH_TOKEN or the public one of development)",
  )
  .option(
    "--current-signing-key <key>",
    "signs deliveries (default: QSTASH_CURRENT_SIGNING_KEY or the public one)",
  )
  .option(
    "--next-signing-key <key>",
    "follows the current one (default: QSTASH_NEXT_SIGNING_KEY or the public one)",
  )
  .option(
    "--allow-host <name>",
    "a name that may stand in the Host header; may be repeated (default: none)",
    list,
  )
  .option(
    "--allow-origin <origin>",
    "an origin whose pages may call the engine; may be repeated (default: none)",
    list,
  )
  .action(async (flags: Flags) => {
    const { dev } = await import("./cli/dev.ts");
    await dev(flags, version);
  });

program
  .command("start")
  .description("run an engine for production: with a token and keys of its own, and a policy on destinations")
  .option("--config <file>", "settings as JSON; flags and the environment win (default: PERDURE_CONFIG)")
  .option("--port <number>", "where to listen (default: PERDURE_PORT or 8080)")
  .option("--host <name>", "on which address to listen (default: PERDURE_HOST or 127.0.0.1)")
  .option("--db <file>", "the database (default: PERDURE_DB or .perdure/perdure.db)")
  .option("--log-level <level>", "silent, error, info or debug (default: PERDURE_LOG_LEVEL or info)")
  .option("--token <token>", "what clients must show (default: QSTASH_TOKEN)")
  .option("--current-signing-key <key>", "signs deliveries (default: QSTASH_CURRENT_SIGNING_KEY)")
  .option("--next-signing-key <key>", "follows the current one (default: QSTASH_NEXT_SIGNING_KEY)")
  .option(
    "--metrics-token <token>",
    "what /metrics asks for (default: PERDURE_METRICS_TOKEN; none: no metrics)",
  )
  .option("--drain <duration>", "for what is under way when it is stopped (default: PERDURE_DRAIN or 25s)")
  .option(
    "--allow-destination <rule>",
    "an address, range or host that deliveries may go to; may be repeated (default: PERDURE_ALLOW_DESTINATIONS)",
    list,
  )
  .option(
    "--deny-destination <rule>",
    "one that they may not; may be repeated (default: PERDURE_DENY_DESTINATIONS)",
    list,
  )
  .option(
    "--allow-host <name>",
    "a name that may stand in the Host header; may be repeated (default: PERDURE_ALLOW_HOSTS; none: any)",
    list,
  )
  .option(
    "--allow-origin <origin>",
    "an origin whose pages may call the engine; may be repeated (default: PERDURE_ALLOW_ORIGINS; none: any)",
    list,
  )
  .action(async (flags: StartFlags) => {
    const { start } = await import("./cli/start.ts");
    await start(flags, version);
  });

program
  .command("backup")
  .description("copy a database to a new file, also while an engine uses it")
  .argument("<file>", "where the copy goes; there must be nothing yet")
  .option("--db <file>", "the database (default: PERDURE_DB or .perdure/perdure.db)")
  .action(async (file: string, flags: { readonly db?: string }) => {
    const { backup } = await import("./cli/backup.ts");
    await backup(file, flags);
  });

program
  .command("keys")
  .description("tokens and signing keys")
  .command("new")
  .description("make a token and a pair of signing keys, and print them for an environment")
  .option("--user <name>", "whom the token names", "default")
  .action(newKeys);

try {
  // What only one command needs is loaded only by it.
  await program.parseAsync();
} catch (error) {
  // npm only warns of an older Node, which has no SQLite.
  if (Object(error).code !== "ERR_UNKNOWN_BUILTIN_MODULE") throw error;
  program.error(`perdure needs Node 22.13 or later, for its SQLite; this is Node ${process.versions.node}.`);
}
