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
}

/** A TypeScript block of a page, as a module. */
export interface Example {
  /** `steps.md:12`. */
  readonly name: string;
  /** Of the file that the block becomes. */
  readonly file: string;
  readonly code: string;
  /** What runs it, and what it prints then; `undefined` for a block that is only type-checked. */
  readonly run: { readonly on: Runtime; readonly output: string } | undefined;
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

function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/**
 * The TypeScript blocks of a page. One that is marked `ts runnable` is complete, and the block behind it is what it prints.
 * It runs on Node; `ts runnable bun` and `ts runnable deno` on those. The others, and those two, may use what a comment
 * `<!-- ts … -->`, which isn't shown, declares for all of the page.
 *
 * @throws TypeError for a runnable block without its output
 */
export function examplesOf(page: string, text: string): Example[] {
  const fences = fencesOf(text);
  const hidden = [...text.matchAll(/^<!-- ts\n([\s\S]*?)^-->$/gm)].map(([, code]) => code).join("");
  return fences.flatMap(({ info, text: code, line }, at): Example[] => {
    if (!/^ts\b/.test(info)) return [];
    const name = `${page}:${line}`;
    const file = `${name.replace(/\W+/g, "-")}.ts`;
    const on = RUNTIMES[info];
    const known = on === "node" ? code : hidden + code;
    if (!on) return [{ name, file, code: known, run: undefined }];
    const next = fences[at + 1];
    if (next?.info === "text") return [{ name, file, code: known, run: { on, output: next.text } }];
    throw new TypeError(`${name} is runnable, and no \`\`\`text block behind it says what it prints.`);
  });
}

const RUNTIMES: Readonly<Record<string, Runtime>> = {
  "ts runnable": "node",
  "ts runnable bun": "bun",
  "ts runnable deno": "deno",
};

function fencesOf(text: string): Fence[] {
  const fences: Fence[] = [];
  let open: { info: string; line: number; lines: string[] } | undefined;
  for (const [at, line] of text.split("\n").entries()) {
    const mark = /^```(.*)$/.exec(line);
    if (!mark) open?.lines.push(line);
    else if (!open) open = { info: (mark[1] ?? "").trim(), line: at + 2, lines: [] };
    else {
      fences.push({ info: open.info, line: open.line, text: open.lines.map((each) => `${each}\n`).join("") });
      open = undefined;
    }
  }
  return fences;
}
