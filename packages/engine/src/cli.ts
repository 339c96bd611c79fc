#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { dev } from "./cli/dev.ts";
import type { Flags } from "./config.ts";

// From src/ and from dist/ alike.
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};

const program = new Command("perdure")
  .description("An open engine for durable workflows with the HTTP API of QStash.")
  .version(version);

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
  .action((flags: Flags) => dev(flags, version));

await program.parseAsync();
