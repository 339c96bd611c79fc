import type { Command } from "commander";
import { endWithReader } from "../output.ts";
import { printableLines } from "../terminal.ts";
import type { CancelFlags } from "./cancel.ts";
import type { ChangeFlags, DeadLetterFlags } from "./dlq.ts";
import type { EngineFlags, RemoteEngine } from "./engine.ts";
import type { ExportFlags } from "./export.ts";
import type { LimitCommand, ListFlags } from "./limits.ts";
import type { NotifyFlags } from "./notify.ts";
import type { OpenFlags } from "./open.ts";
import type { RunsFlags } from "./runs.ts";
import type { ShowFlags } from "./show.ts";
import type { TailFlags } from "./tail.ts";
import type { TriggerFlags } from "./trigger.ts";
import type { WakeFlags } from "./wake.ts";

/** Adds the commands that ask a running engine. Each loads its own module when it is called. */
export function addRemoteCommands(program: Command): void {
  program.commandsGroup("Runs, of an engine that is running:");
  addRunCommands(program);
  addDeadLetterCommands(program.command("dlq").description("failed runs: list, resume, restart, delete"));
  addLimitCommands(program, "queues", "queues, and what waits in them");
  addLimitCommands(program, "flows", "flow control keys, and what waits for them");
  addLimitCommands(program, "schedules", "schedules, and their next ticks");
  program
    .commandsGroup("Shell:")
    .command("completion")
    .description("print a script that completes commands and flags in a shell")
    .argument("<shell>", "bash, zsh or fish")
    .action(
      guarded(async (shell: string) => {
        const { completionScript } = await import("./completion.ts");
        console.log(completionScript(program, shell));
      }),
    );
}

function addRunCommands(program: Command): void {
  withRunFilters(ask(program, "runs", "list runs, the newest first"))
    .option("--limit <number>", "how many", "20")
    .action(onEngine(async (engine, flags: RunsFlags) => (await import("./runs.ts")).runs(engine, flags)));
  ask(program, "show", "show a run: its steps, what it waits for, how it failed")
    .argument("<run>", RUN)
    .action(
      onEngine(async (engine, flags: ShowFlags, id) => (await import("./show.ts")).show(engine, id, flags)),
    );
  ask(program, "export", "write a run's history, for assertReplays of @perdure/test")
    .argument("<run>", RUN)
    .option("--out <file>", "the file to write (default: standard output)")
    .action(
      onEngine(async (engine, flags: ExportFlags, id) =>
        (await import("./export.ts")).exportRun(engine, id, flags),
      ),
    );
  ask(program, "tail", "print what happens, as it happens; of one run, until it ends")
    .argument("[run]", RUN)
    .option("--workflow <url>", "only runs of this workflow")
    .option("--label <label>", "only runs with this label")
    .action(
      onEngine(async (engine, flags: TailFlags, id) => (await import("./tail.ts")).tail(engine, id, flags)),
    );
  ask(program, "trigger", "start a run, and print its id")
    .argument("<url>", "the workflow's endpoint, as the engine reaches it")
    .option("--body <body>", "the payload: JSON or text, @file, or - for stdin")
    .option("--header <header>", "a header for the workflow, name: value; may be repeated", collect)
    .option("--id <id>", "the run's id, without wfr_")
    .option("--label <label>", "a label of the run")
    .option("--retries <number>", "retries of each delivery")
    .option("--delay <duration>", "start the run later")
    .option("--wait [duration]", "wait for the end, and print the result")
    .action(
      onEngine(async (engine, flags: TriggerFlags, url) =>
        (await import("./trigger.ts")).trigger(engine, url, flags),
      ),
    );
  ask(program, "notify", "send an event to the runs that wait for it")
    .argument("<event>", "the event's id")
    .option("--data <data>", "the event's data: JSON or text, @file, or - for stdin")
    .option("--run <run>", "only this run, also when it begins to wait later")
    .action(
      onEngine(async (engine, flags: NotifyFlags, id) =>
        (await import("./notify.ts")).notify(engine, id, flags),
      ),
    );
  withRunFilters(ask(program, "cancel", "cancel runs, by their ids or by filters"))
    .argument("[runs...]", RUN)
    .option("--all", "all live runs")
    .option("--yes", "don't ask")
    .action(
      onEngine(async (engine, flags: CancelFlags, ids: string[]) =>
        (await import("./cancel.ts")).cancel(engine, ids, flags),
      ),
    );
  ask(program, "wake", "end a run's sleep now")
    .argument("<run>", RUN)
    .option("--step <name>", "only the sleep of this step")
    .action(
      onEngine(async (engine, flags: WakeFlags, id) => (await import("./wake.ts")).wake(engine, id, flags)),
    );
  ask(program, "retry", "begin the retries that a run waits for now")
    .argument("<run>", RUN)
    .action(
      onEngine(async (engine, flags: WakeFlags, id) => (await import("./wake.ts")).retry(engine, id, flags)),
    );
  ask(program, "open", "open the dashboard, or a run's page on it")
    .argument("[run]", RUN)
    .option("--print", "only print the link")
    .action(
      onEngine(async (engine, flags: OpenFlags, id) => (await import("./open.ts")).open(engine, id, flags)),
    );
}

function addDeadLetterCommands(dlq: Command): void {
  withDeadLetterFilters(ask(dlq, "list", "list failed runs, the newest first"))
    .option("--limit <number>", "how many", "20")
    .action(
      onEngine(async (engine, flags: DeadLetterFlags & { limit: string }) =>
        (await import("./dlq.ts")).list(engine, flags),
      ),
    );
  withDeadLetterFilters(
    ask(dlq, "groups", "list the errors of failed runs, with the number of runs of each"),
  ).action(
    onEngine(async (engine, flags: DeadLetterFlags) => (await import("./dlq.ts")).groups(engine, flags)),
  );
  ask(dlq, "show", "print a dead letter as JSON")
    .argument("<id>", "the dead letter's id")
    .action(onEngine(async (engine, _, id) => (await import("./dlq.ts")).showLetter(engine, id)));
  const actions = [
    ["resume", "go on where runs failed, with their recorded steps"],
    ["restart", "start failed runs again from the beginning"],
    ["retry", "call the failure functions again"],
    ["delete", "delete dead letters: their runs can't go on then"],
  ] as const;
  for (const [action, description] of actions) {
    const command = withDeadLetterFilters(ask(dlq, action, description))
      .argument("[ids...]", "ids of dead letters")
      .option("--all", "all dead letters")
      .option("--yes", "don't ask")
      .action(
        onEngine(async (engine, flags: ChangeFlags, ids: string[]) =>
          (await import("./dlq.ts")).change(engine, action, { ids, flags }),
        ),
      );
    if (action === "resume" || action === "restart")
      command.option(
        "--payload <payload>",
        "another payload, for one run: JSON or text, @file, or - for stdin",
      );
  }
}

function addLimitCommands(program: Command, name: LimitCommand, description: string): void {
  const group = ask(program, name, description).action(
    onEngine(async (engine, flags: ListFlags) =>
      (await import("./limits.ts")).listLimits(engine, name, flags),
    ),
  );
  const actions = [
    ["pause", true, "begin nothing more"],
    ["resume", false, "go on"],
  ] as const;
  for (const [action, paused, what] of actions)
    ask(group, action, what)
      .argument("<name>", "the name in the list")
      .action(
        onEngine(async (engine, _, given) =>
          (await import("./limits.ts")).setPaused(engine, name, { name: given, paused }),
        ),
      );
}

const RUN = "a run's id, or a unique beginning of it";

/** Adds a command with the flags that every command has. */
function ask(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .option(
      "--url <url>",
      "the engine (default: PERDURE_URL or QSTASH_URL, else perdure dev on this machine)",
    )
    .option("--token <token>", "its token (default: PERDURE_TOKEN or QSTASH_TOKEN)")
    .option("--json", "print JSON");
}

function withRunFilters(command: Command): Command {
  return command
    .option("--state <states>", "running, succeeded, failed or cancelled; several with commas")
    .option("--workflow <url>", "the workflow's whole URL")
    .option("--label <label>", "a label of the run")
    .option("--search <words>", "words in payloads, step names, results and errors")
    .option("--since <duration>", "started within this time, such as 2h");
}

function withDeadLetterFilters(command: Command): Command {
  return command
    .option("--workflow <url>", "the workflow's whole URL")
    .option("--label <label>", "a label of the run")
    .option("--error <id>", "an error's id, as perdure dlq groups shows it")
    .option("--since <duration>", "failed within this time, such as 2h");
}

function collect(value: string, values: readonly string[] = []): string[] {
  return [...values, value];
}

/** Makes the action of a command out of a function that asks the engine. The argument is the command's own. */
function onEngine<Flags, Argument = string>(
  run: (engine: RemoteEngine, flags: Flags & EngineFlags, argument: Argument) => Promise<void>,
): (...given: readonly unknown[]) => Promise<void> {
  return guarded(async (...given) => {
    // commander passes the arguments, then the flags, then the command.
    const command = given.at(-1) as Command;
    const flags = command.optsWithGlobals<Flags & EngineFlags>();
    const { RemoteEngine } = await import("./engine.ts");
    await run(new RemoteEngine(flags, process.env), flags, given[0] as Argument);
  });
}

/** Prints an error that a user can do something about as one line, and sets the exit code. */
function guarded<Args extends readonly unknown[]>(
  run: (...args: Args) => Promise<void>,
): (...args: Args) => Promise<void> {
  return async (...args) => {
    endWithReader();
    try {
      await run(...args);
    } catch (error) {
      const { explainError } = await import("./explain-error.ts");
      const known = explainError(error);
      if (!known) throw error;
      console.error(printableLines(known.message));
      process.exitCode = known.exitCode;
    }
  };
}
