import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { floors, places } from "./layers.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BIOME = join(ROOT, "node_modules", "@biomejs", "biome", "bin", "biome");
const LAYER_RULES = ["lint/style/noRestrictedImports", "lint/correctness/noNodejsModules"];

type Diagnostic = { category: string; location: { path: string; start: { line: number } } };

/** Sources that break one rule a line, beside those of the tables in layers.ts. */
const samples = {
  "packages/core/src/border/forms.ts": [
    'import { a } from "../serve.ts";',
    'import type { B } from "../serve.ts";',
    'import * as c from "../serve.ts";',
    'export { d } from "../serve.ts";',
    'export type { E } from "../serve.ts";',
    'export * from "../serve.ts";',
    'export const f = await import("../serve.ts");',
  ],
  "packages/core/src/border/globals.ts": ["process;", "Buffer;", "setImmediate;", "global;", "self;"],
  "packages/core/src/border/one.ts": ['import type { Two } from "./two.ts";', "export type One = Two;"],
  "packages/core/src/border/two.ts": ['import type { One } from "./one.ts";', "export type Two = One;"],
  "packages/core/src/border/node.ts": ['import "node:http";', 'import "fs";'],
  "packages/engine/src/domain/effects.ts": [
    "setTimeout(f, 1);",
    "setInterval(f, 1);",
    "fetch(u);",
    "process;",
  ],
  "packages/engine/src/undeclared.ts": ['import "valibot";', 'import "fast-check";'],
  "packages/engine/src/http/any.ts": ["export const a: any = 1;"],
  "packages/engine/src/http/endings.ts": ['import "./any";', 'import "./any.js";'],
};

/** A folder with the rules, the manifests and these sources, and nothing else. */
const lab = mkdtempSync(join(tmpdir(), "perdure-layers-"));
const diagnostics: Diagnostic[] = [];

beforeAll(async () => {
  cpSync(join(ROOT, "biome.json"), join(lab, "biome.json"));
  for (const name of ["core", "adapters", "engine"]) {
    const manifest = `packages/${name}/package.json`;
    cpSync(join(ROOT, manifest), join(lab, manifest), { recursive: true });
  }
  for (const { file, allowed, forbidden } of places) write(file, [...allowed, ...forbidden].map(importOf));
  for (const [file, lines] of Object.entries(samples)) write(file, lines);
  diagnostics.push(...(await lint()));
});

afterAll(() => rmSync(lab, { recursive: true, force: true }));

describe("the floors", () => {
  test.each(places)("$file imports what is below, and nothing else", ({ file, allowed, forbidden }) => {
    const lines = new Set(LAYER_RULES.flatMap((rule) => linesBreaking(rule, file)));
    const refused = [...allowed, ...forbidden].filter((_, at) => lines.has(at + 1));
    expect(refused).toEqual(forbidden);
  });

  test.each(Object.entries(floors))("every folder of %s has one", (source, known) => {
    const folders = readdirSync(join(ROOT, source), { withFileTypes: true }).filter((each) =>
      each.isDirectory(),
    );
    expect(known).toEqual(expect.arrayContaining(folders.map(({ name }) => name)));
  });

  // Biome doesn't see this one form of an import.
  test.each(Object.keys(floors))('%s never says `import("…").Type`', (source) => {
    const files = readdirSync(join(ROOT, source), { recursive: true, encoding: "utf8" });
    const texts = files
      .filter((file) => file.endsWith(".ts"))
      .map((file) => readFileSync(join(ROOT, source, file), "utf8"));
    expect(texts.filter((text) => /(?<!await )\bimport\(/.test(text))).toEqual([]);
  });
});

describe("the rules fire", () => {
  test.each([
    ["every form of an import", "style/noRestrictedImports", "packages/core/src/border/forms.ts"],
    [
      "globals that not every runtime has",
      "style/noRestrictedGlobals",
      "packages/core/src/border/globals.ts",
    ],
    ["modules of Node in core", "correctness/noNodejsModules", "packages/core/src/border/node.ts"],
    ["time and effects in the domain", "style/noRestrictedGlobals", "packages/engine/src/domain/effects.ts"],
    [
      "what package.json doesn't name",
      "correctness/noUndeclaredDependencies",
      "packages/engine/src/undeclared.ts",
    ],
    ["any", "suspicious/noExplicitAny", "packages/engine/src/http/any.ts"],
    ["endings other than .ts", "correctness/useImportExtensions", "packages/engine/src/http/endings.ts"],
  ] as const)("for %s", (_what, rule, file) => {
    expect(linesBreaking(`lint/${rule}`, file)).toEqual(samples[file].map((_, at) => at + 1));
  });

  test.each(["one", "two"])("for a cycle of types alone, in %s.ts", (name) => {
    expect(linesBreaking("lint/suspicious/noImportCycles", `packages/core/src/border/${name}.ts`)).toEqual([
      1,
    ]);
  });
});

function importOf(specifier: string): string {
  return `import ${JSON.stringify(specifier)};`;
}

function linesBreaking(rule: string, file: string): number[] {
  const found = diagnostics.filter(({ category, location }) => category === rule && location.path === file);
  return [...new Set(found.map(({ location }) => location.start.line))].sort((a, b) => a - b);
}

function write(file: string, lines: readonly string[]): void {
  mkdirSync(dirname(join(lab, file)), { recursive: true });
  writeFileSync(join(lab, file), lines.join("\n"));
}

async function lint(): Promise<Diagnostic[]> {
  const args = [BIOME, "lint", "--reporter=json", "--max-diagnostics=none", "."];
  const output = await new Promise<string>((done) => {
    execFile(process.execPath, args, { cwd: lab, maxBuffer: 2 ** 26 }, (_error, stdout) => done(stdout));
  });
  return JSON.parse(output).diagnostics;
}
