import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { variableOf } from "../../src/cli/engine-options.ts";
import { flagsOf, SETTINGS, type Setting } from "../../src/cli/settings.ts";
import { namedOptions, type OptionRow } from "../../src/rules/engine-options.ts";

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");

/** The comments of the options' source, by the names of the options. */
function descriptions(): Map<string, string> {
  const found = new Map<string, string>();
  let group = "";
  let comment = "";
  for (const line of read("../../src/rules/engine-options.ts").split("\n")) {
    comment = /\/\*\* (.*)\. \*\//.exec(line)?.[1] ?? comment;
    const [, name, row] = /^ +(\w+): \{( is:)?/.exec(line) ?? [];
    if (row) found.set(line.startsWith("    ") ? `${group}.${name}` : `${name}`, comment);
    else if (name) group = name;
    if (line === "} as const;") break;
  }
  return found;
}

function grouped(value: number): string {
  return value < 10_000 ? String(value) : value.toLocaleString("en").replaceAll(",", " ");
}

function optionRow([name, row]: [string, OptionRow]): string {
  const page = row.see === undefined ? "" : `; see [${row.see.replace(/\.md.*/, "")}](${row.see})`;
  const value = typeof row.default === "number" ? grouped(row.default) : row.default;
  return `| \`${name}\` | ${descriptions().get(name)}${page} | ${value ?? row.otherwise} |`;
}

function settingRow({ flag, list, file, help, start }: Setting): string {
  const flags = flag === undefined ? "" : `\`${flag}\`${list ? ", repeated" : ""}`;
  const variable = start?.env === undefined ? "" : `\`${start.env}\`${list ? ", with commas" : ""}`;
  const key = file === undefined ? "" : `\`${file}\``;
  return `| ${flags} | ${variable} | ${key} | ${help} | ${start?.default ?? ""} |`
    .replaceAll("|  |", "| |")
    .replaceAll("|  |", "| |");
}

describe("the guide", () => {
  it("lists every number, flag and name of the engine's options, as their table has it", () => {
    const rows = read("../../../../docs/engine-library.md")
      .split("\n")
      .filter((line) =>
        /^\| `(?:concurrency|calls|region|trustProxy|hidePayloads|search|(?:timeouts|limits|retention)\.\w+)`/.test(
          line,
        ),
      );
    expect(rows).toEqual(namedOptions().map(optionRow));
  });

  it("lists every flag of perdure dev on the engine's page", () => {
    const rows =
      read("../../../../docs/engine.md")
        .match(/^\| `--.*$/gm)
        ?.join("\n") ?? "";
    for (const { flag } of flagsOf("dev")) expect(rows).toContain(`\`${flag}\``);
  });

  it("lists every limit, time and retention with its default on the page of limits", () => {
    const rows = read("../../../../docs/limits.md").match(/^\| `[a-z]+(?:\.[a-zA-Z]+)?` \|.*$/gm) ?? [];
    const cells = rows.map((row) => row.slice(2, -2).split(" | "));
    const listed = cells.filter(([name = ""]) => !/^`(?:inline|bodyLimit)/.test(name));
    const expected = namedOptions()
      .filter(([name]) => /^(?:concurrency$|calls$|limits|timeouts|retention)/.test(name))
      .map((option) =>
        optionRow(option)
          .slice(2, -2)
          .replace(/; see \[[^|]*\)/, "")
          .split(" | "),
      );
    expect(listed.map((row) => row.slice(0, 3)).sort()).toEqual(expected.sort());
    for (const row of listed) expect(row).toHaveLength(4);
  });

  it("lists every setting of perdure start, as their table has it", () => {
    const [, table] = read("../../../../docs/operations.md").split("\n## Settings\n");
    const rows = table?.split("\n").filter((line) => line.startsWith("| `--") || line.startsWith("| | `"));
    expect(rows?.slice(0, Object.keys(SETTINGS).length)).toEqual(Object.values(SETTINGS).map(settingRow));
  });

  it("says how a variable is named", () => {
    expect(read("../../../../docs/operations.md")).toContain(`\`${variableOf("limits.requestBytes")}\``);
  });
});
