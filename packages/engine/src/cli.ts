#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { Command } from "commander";
import type { BackupFlags } from "./cli/backup.ts";
import type { DevFlags } from "./cli/dev-config.ts";
import { newKeys } from "./cli/keys.ts";
import type { MoveFlags } from "./cli/move.ts";
import { EXIT } from "./cli/remote/command-error.ts";
import { addRemoteCommands } from "./cli/remote/program.ts";
import { type CommandName, flagsOf } from "./cli/settings.ts";
import type { StartFlags } from "./cli/start-config.ts";
import { printableLines } from "./cli/terminal.ts";

// The same relative path works from src/ and from dist/.
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};

const program = new Command("perdure")
  .description("An open engine for durable workflows with the HTTP API of QStash.")
  .version(version)
  .commandsGroup("Engine:")
  .configureOutput({ writeErr: (text) => void process.stderr.write(printableLines(text)) })
  .exitOverride(({ exitCode }) => process.exit(exitCode === 1 ? EXIT.usage : exitCode));

function command(name: CommandName, description: string): Command {
  const added = program.command(name).description(description);
  for (const { flag, help, list } of flagsOf(name)) {
    if (list)
      added.option(flag, help, (value: string, values: string[] = []): string[] => [...values, value]);
    else added.option(flag, help);
  }
  return added;
}

command("dev", "run an engine for development, with a database in one file")
  .argument(
    "[command...]",
    "your app, after --: it starts with the engine's variables, and both stop together",
  )
  .action(async (app: readonly string[], flags: DevFlags) => {
    const { dev } = await import("./cli/dev.ts");
    await dev(flags, app, version);
  });

command(
  "start",
  "run an engine for production: with a token and keys of its own, and a policy on destinations",
).action(async (flags: StartFlags) => {
  const { start } = await import("./cli/start.ts");
  await start(flags, version);
});

program
  .command("backup")
  .description("copy a database to a new file, also while an engine uses it")
  .argument("<file>", "where the copy goes; there must be nothing yet")
  .option("--db <file>", "the database (default: PERDURE_DB, else the one in .perdure)")
  .action(async (file: string, flags: BackupFlags) => {
    const { backup } = await import("./cli/backup.ts");
    await backup(file, flags);
  });

program
  .command("move")
  .description("move a database from a file to PostgreSQL, or back, while no engine uses either")
  .option("--from <database>", "a file, or a PostgreSQL URL (default: PERDURE_DB)")
  .option("--to <database>", "an empty PostgreSQL database, or a new file (default: PERDURE_DB)")
  .action(async (flags: MoveFlags) => {
    const { move } = await import("./cli/move.ts");
    await move(flags);
  });

program
  .command("keys")
  .description("tokens and signing keys")
  .command("new")
  .description("make a token and a pair of signing keys, and print them for an environment")
  .option("--user <name>", "whom the token names", "default")
  .action(newKeys);

addRemoteCommands(program);

try {
  // Each command loads the modules that only it needs.
  await program.parseAsync();
} catch (error) {
  // npm only warns about an older Node version, which lacks SQLite.
  if (Object(error).code !== "ERR_UNKNOWN_BUILTIN_MODULE") throw error;
  console.error(`perdure needs Node 22.13 or later, for its SQLite; this is Node ${process.versions.node}.`);
  process.exitCode = 1;
}
