import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Pair, pairOf } from "./pair.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const VITEST = fileURLToPath(new URL("../node_modules/vitest/vitest.mjs", import.meta.url));

/** Vitest's projects that call the suite, and the command that runs each of them. */
const COMMANDS: Readonly<Record<string, string>> = {
  conformance: "npm test",
  nextjs: "npm test",
  frameworks: "npm run test:frameworks",
};

const BEGIN = "<!-- tested pairs: written by `npm run pairs` -->";
const END = "<!-- /tested pairs -->";

interface TestedPair extends Pair {
  readonly command: string;
}

/** What the suite is called for, as vitest collects it. No test is run. */
export async function collectPairs(): Promise<TestedPair[]> {
  const filters = Object.keys(COMMANDS).flatMap((name) => ["--project", name]);
  // To be listed, files need no modules of their own, and one worker loads what they share once.
  const flags = ["--no-static-parse", "--no-isolate", "--maxWorkers=1", "--json"];
  const args = [VITEST, "list", "--root", ROOT, ...flags, ...filters];
  const env = { PATH: process.env.PATH };
  const { stdout } = await promisify(execFile)(process.execPath, args, { env, maxBuffer: 2 ** 28 });
  const tests = JSON.parse(stdout) as { readonly name: string; readonly projectName: string }[];
  const pairs = new Map<string, TestedPair>();
  for (const { name, projectName } of tests) {
    const [title = ""] = name.split(" > ");
    const pair = pairOf(title);
    if (pair) pairs.set(title, { ...pair, command: COMMANDS[projectName] ?? "" });
  }
  return [...pairs.values()];
}

/** One row a framework, each with all that it is tested on. */
export function toTable(pairs: readonly TestedPair[]): string {
  const rows = new Map<string, string[]>();
  for (const { framework, adapter, command, runtime } of pairs) {
    const around = `| ${framework} | \`${adapter}\` | … | \`${command}\` |`;
    rows.set(around, [...(rows.get(around) ?? []), runtime]);
  }
  const lines = [...rows].map(([around, runtimes]) =>
    around.replace("…", runtimes.sort(byNaturalOrder).join(", ")),
  );
  const head = ["| framework | `@perdure/adapters/…` | tested on | by |", "| --- | --- | --- | --- |"];
  return [...head, ...lines.sort(byNaturalOrder)].join("\n");
}

/** @throws TypeError when the text has no place for the table */
export function withTable(text: string, table: string): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new TypeError(`The text needs the lines ${BEGIN} and ${END}.`);
  return `${text.slice(0, begin)}${BEGIN}\n\n${table}\n\n${text.slice(end)}`;
}

function byNaturalOrder(one: string, other: string): number {
  return one.localeCompare(other, "en", { numeric: true, sensitivity: "base" });
}
