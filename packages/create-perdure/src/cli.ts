#!/usr/bin/env node
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import colors from "picocolors";
import { type Choice, runScript } from "./choices.ts";
import { choose, HELP } from "./choose.ts";
import { UsageError } from "./usage-error.ts";
import { writeProject } from "./write-project.ts";

async function main(args: readonly string[]): Promise<void> {
  if (args.includes("--help") || args.includes("-h")) return console.log(HELP);
  const isTerminal = Boolean(process.stdin.isTTY && process.stdout.isTTY);
  const choice = await choose(args, { isTerminal, userAgent: process.env.npm_config_user_agent });
  if (!choice) return;
  const files = writeProject(choice);
  console.log(`Wrote ${files.length} files to ${resolve(choice.folder)}.`);
  if (choice.install && !install(choice)) return;
  console.log(nextSteps(choice));
  const needed = newerNode(choice.folder);
  if (needed !== undefined) {
    console.log(
      `\n${colors.yellow(`This project needs Node ${needed} or later; this is Node ${process.versions.node}.`)} Install it first.`,
    );
  }
}

/** The version of Node that a project needs; undefined if this one is new enough. */
function newerNode(folder: string): string | undefined {
  const { engines } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    readonly engines?: { readonly node?: string };
  };
  const needed = /\d+\.\d+/.exec(engines?.node ?? "")?.[0];
  const [major = 0, minor = 0] = (needed ?? "").split(".").map(Number);
  const [ownMajor = 0, ownMinor = 0] = process.versions.node.split(".").map(Number);
  return major > ownMajor || (major === ownMajor && minor > ownMinor) ? needed : undefined;
}

function install({ folder, packageManager }: Choice): boolean {
  console.log(`Installing with ${packageManager} …`);
  const { status, error } = spawnSync(packageManager, ["install"], {
    cwd: folder,
    stdio: "inherit",
    // Windows finds npm only through its shell.
    shell: process.platform === "win32",
  });
  if (status === 0) return true;
  console.error(
    `${packageManager} install failed${error ? `: ${error.message}` : ""}. The files are in ${resolve(folder)}.`,
  );
  process.exitCode = 1;
  return false;
}

function nextSteps({ folder, install, packageManager }: Choice): string {
  const run = runScript(packageManager);
  const commands = [`cd ${folder}`, ...(install ? [] : [`${packageManager} install`]), `${run} dev`];
  return `\nNext:\n${commands.map((one) => `  ${colors.cyan(one)}`).join("\n")}\n\nThen, in another terminal:\n  ${colors.cyan(`${run} trigger`)}`;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
