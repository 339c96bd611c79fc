import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** A fenced block of a page. */
interface Fence {
  /** What stands behind the backticks: the language, and what the page says of the block. */
  readonly info: string;
  readonly text: string;
  /** Of the block's first line in the page, counted from 1. */
  readonly line: number;
  /** The comment `<!-- … -->` right above the block, or an empty string. */
  readonly comment: string;
}

/** A TypeScript block of a page, as a module. */
export interface Example {
  /** `steps.md:12`. */
  readonly name: string;
  /** The file that the block becomes, in its page's folder. */
  readonly file: string;
  readonly code: string;
  /** What runs it, and what it prints then; `undefined` for a block that is only type-checked. */
  readonly run: Run | undefined;
}

interface Run {
  readonly on: Runtime;
  readonly output: string;
  /** The example listens on the port in `PORT`, which must be a free one. */
  readonly listens: boolean;
}

export type Runtime = "node" | "bun" | "deno";

export interface Page {
  readonly name: string;
  readonly text: string;
  readonly path: string;
  /** Of its headings, as links name them. */
  readonly anchors: readonly string[];
  readonly examples: readonly Example[];
}

/** The README and every page under docs/. */
export function readPages(): Page[] {
  const names = readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".md"),
  );
  return ["README.md", ...names.sort().map((name) => join("docs", name))].map((name) =>
    readPage(name, readFileSync(join(ROOT, name), "utf8")),
  );
}

function readPage(name: string, text: string): Page {
  return { name, text, path: join(ROOT, name), anchors: anchorsOf(text), examples: examplesOf(name, text) };
}

/** The blocks of a page that are files of an application, with the paths that the page gives them. */
export function filesOf({ text }: Page): { readonly path: string; readonly content: string }[] {
  const blocks = text.matchAll(/^`([^`]+)`[^\n]*:\n\n```typescript\n([\s\S]*?)^```$/gm);
  return [...blocks].map(([, path = "", content = ""]) => ({ path, content }));
}

/** Where a page leads to, other than out into the world. */
export function linksOf({
  path,
  text,
}: Page): { readonly file: string; readonly anchor: string | undefined }[] {
  return [...text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].map(([, link, anchor]) => ({
    file: link ? join(dirname(path), link) : path,
    anchor,
  }));
}

/** The arguments of each `perdure` in a page's code: of lines in blocks, and of code within sentences. */
export function commandsOf({ text }: Page): string[][] {
  const lines = text.matchAll(/^(?:\S+=\S+ )*(?:npx )?perdure (.+)$/gm);
  const inline = text.matchAll(/`(?:npx )?perdure ([^`\n]+)`/g);
  return [...lines, ...inline].map(([, line = ""]) =>
    line.replace(/ (?:#|--(?= )|[|>]).*$/, "").split(/\s+/),
  );
}

/** A table whose first column has the names of a type's properties. */
interface TypedTable {
  readonly place: string;
  readonly type: string;
  readonly names: readonly string[];
}

/** The tables below a comment `<!-- table of TYPE -->`, which no reader sees. */
export function typedTablesOf({ name: page, text }: Page): TypedTable[] {
  return [...text.matchAll(/^<!-- table of (.+) -->\n\n((?:\|.*\n)+)/gm)].map(([, type = "", table = ""]) => {
    const rows = table.trim().split("\n").slice(2);
    const names = rows.flatMap((row) =>
      [...(row.split("|")[1] ?? "").matchAll(/`(\w+)/g)].map(([, name = ""]) => name),
    );
    return { place: page, type, names };
  });
}

/** A module that has a type error for each table that names a property too many or too few. */
export function checksOf(tables: readonly TypedTable[]): string {
  const checks = tables.map(
    ({ place, type, names }, at) =>
      `// ${place}\nexport const table${at}: Check<${names.map((name) => JSON.stringify(name)).join(" | ")}, Names<${type}>> = true;\n`,
  );
  return `type Names<T> = T extends unknown ? keyof T : never;
type Check<Listed, Real> = [Exclude<Listed, Real>, Exclude<Real, Listed>] extends [never, never]
  ? true
  : { readonly unknown: Exclude<Listed, Real>; readonly missing: Exclude<Real, Listed> };
${checks.join("")}`;
}

function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/**
 * The TypeScript blocks of a page. A block that is marked `ts runnable` runs on Node, and the `text` block behind it is what
 * it prints; `ts runnable bun` and `ts runnable deno` run on those. A comment above a block, which no reader sees, says more:
 *
 * - `<!-- serves: order, refund -->`: these workflows are served at `http://localhost:3000/order` and so on;
 * - `<!-- file: app.ts -->`: other blocks of the page import the block as `./app.ts`;
 * - `<!-- with: app.ts -->`: that file runs first, and in the same process.
 *
 * The port 3000 of such a block stands for the one in `PORT`. A block that doesn't run on Node may use what a comment `<!-- ts … -->` declares for the
 * page.
 *
 * @throws TypeError for a runnable block without its output
 */
export function examplesOf(page: string, text: string): Example[] {
  const fences = fencesOf(text);
  const hidden = [...text.matchAll(/^<!-- ts\n([\s\S]*?)^-->$/gm)].map(([, code]) => code).join("");
  const folder = page.replace(/\W+/g, "-");
  return fences.flatMap(({ info, text: code, line, comment }, at): Example[] => {
    if (!/^ts\b/.test(info)) return [];
    const name = `${page}:${line}`;
    const named = fromComment(comment, "file");
    const file = `${folder}/${named ?? `${line}.ts`}`;
    const on = RUNTIMES[info];
    const own = comment ? withPort(code) : code;
    const known = on === "node" ? own : hidden + own;
    if (!on) return [{ name, file, code: known, run: undefined }];
    const next = fences[at + 1];
    const listens = comment !== "";
    const whole = scaffoldOf(comment) + known + (listens ? END : "");
    if (next?.info === "text") return [{ name, file, code: whole, run: { on, output: next.text, listens } }];
    throw new TypeError(`${name} is runnable, and no \`\`\`text block behind it says what it prints.`);
  });
}

/** Ends the process though its server still listens. */
const END = "process.exit();\n";

/** Replaces the port 3000 by the one in `PORT`. */
function withPort(code: string): string {
  return code
    .replace(/"(http:\/\/localhost:)3000([^"]*)"/g, `\`$1\${process.env.PORT}$2\``)
    .replace(/(http:\/\/localhost:)3000/g, `$1\${process.env.PORT}`)
    .replace(/(?<=listen\(|\bport: )3000\b/g, "Number(process.env.PORT)");
}

/** The lines in front of a block that its comment asks for. */
function scaffoldOf(comment: string): string {
  const file = fromComment(comment, "with");
  const workflows = fromComment(comment, "serves");
  return [
    file && `import "./${file}";\n`,
    workflows &&
      `import { listen } from "../listen.ts";\nawait listen(Number(process.env.PORT), () => ({ ${workflows} }));\n`,
  ]
    .filter((line) => line !== undefined)
    .join("");
}

function fromComment(comment: string, name: "file" | "serves" | "with"): string | undefined {
  return new RegExp(`^${name}: (.+)$`).exec(comment)?.[1];
}

const RUNTIMES: Readonly<Record<string, Runtime>> = {
  "ts runnable": "node",
  "ts runnable bun": "bun",
  "ts runnable deno": "deno",
};

function fencesOf(text: string): Fence[] {
  const fences: Fence[] = [];
  let open: { info: string; line: number; comment: string; lines: string[] } | undefined;
  let comment = "";
  for (const [at, line] of text.split("\n").entries()) {
    const mark = /^```(.*)$/.exec(line);
    if (!mark) {
      open?.lines.push(line);
      if (line.trim() !== "") comment = /^<!-- (.+) -->$/.exec(line)?.[1] ?? "";
    } else if (!open) open = { info: (mark[1] ?? "").trim(), line: at + 2, comment, lines: [] };
    else {
      const { lines, ...fence } = open;
      fences.push({ ...fence, text: lines.map((each) => `${each}\n`).join("") });
      open = undefined;
      comment = "";
    }
  }
  return fences;
}
