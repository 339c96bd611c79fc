import {
  globSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { headlessComments, type PublicName, publicNames } from "./docstrings.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Names that need no docstring: the name and the type say everything. */
const SELF_EXPLANATORY = [
  "DeadLetterFilters.workflowRunId",
  "LogsOptions.filter",
  "LogsOptions.state",
  "LogsOptions.workflowRunId",
  "RunFilters.state",
  "RunFilters.workflowRunId",
];

/** Methods without examples of their own: the example of their class shows them. */
const SHOWN_BY_THEIR_CLASS = /^ManualClock\./;

/** Files that users import from. */
const ENTRY_POINTS = [
  "packages/core/src/index.ts",
  "packages/core/src/protocol/index.ts",
  "packages/core/src/qstash.ts",
  ...readdirSync(join(ROOT, "packages/adapters/src"))
    .filter((file) => file.endsWith(".ts"))
    .map((file) => `packages/adapters/src/${file}`),
  "packages/engine/src/index.ts",
  "packages/test/src/index.ts",
];

describe("every public name", () => {
  let names: PublicName[];
  beforeAll(() => {
    const entryPoints = ENTRY_POINTS.map((file) => join(ROOT, file));
    names = publicNames(ROOT, entryPoints);
    // The compiler reads all packages: on a busy machine that takes its time.
  });

  it("has a docstring, or explains itself", () => {
    const missing = names.filter(({ name, documented }) => !documented && !SELF_EXPLANATORY.includes(name));
    expect(missing.map(({ name, place }) => `${name} (${place})`)).toEqual([]);
  });

  it("that is listed as self-explanatory has no docstring", () => {
    const undocumented = names.filter(({ documented }) => !documented).map(({ name }) => name);
    expect(SELF_EXPLANATORY.filter((name) => !undocumented.includes(name))).toEqual([]);
  });

  it("has an example, if it is a function", () => {
    const functions = names.filter(({ name, callable }) => callable && !SHOWN_BY_THEIR_CLASS.test(name));
    expect(functions.length).toBeGreaterThan(100);
    const missing = functions.filter(({ hasExample }) => !hasExample);
    expect(missing.map(({ name, place }) => `${name} (${place})`)).toEqual([]);
  });

  it("is found", () => {
    const seen = names.map(({ name }) => name);
    expect(seen).toEqual(
      expect.arrayContaining([
        "serve",
        "Client",
        "Client.trigger",
        "DeadLetters.resume",
        "ServeOptions.retries",
        "FlowControl.rate",
        "HEADER",
        "toHono",
        "createEngine",
      ]),
    );
    expect(seen.length).toBeGreaterThan(200);
  });
});

/** The parts of the repository whose comments are checked, each with the least number of its files. */
const PARTS = [
  ["packages/core/src", 100],
  ["packages/adapters/src", 20],
  ["packages/engine/src", 300],
  ["packages/dashboard/src", 50],
  ["packages/test/src", 20],
  ["packages/otel/src", 3],
  ["packages/create-perdure/src", 3],
  ["packages/test-support", 15],
  ["examples", 20],
  ["bench", 20],
  ["scripts", 4],
] as const;

describe.each(PARTS)("%s", (part, least) => {
  it("has no comment without a subject", () => {
    const files = globSync(`${part}/**/*.{ts,tsx,mjs}`, {
      cwd: ROOT,
      exclude: ["**/node_modules", "**/dist", "**/.next", "**/.wrangler"],
    });
    expect(files.length).toBeGreaterThanOrEqual(least);
    const headless = files.flatMap((file) =>
      headlessComments(readFileSync(join(ROOT, file), "utf8")).map((found) => `${file}:${found}`),
    );
    expect(headless).toEqual([]);
  });
});

describe("a comment without a subject", () => {
  it.each([
    ["/** What the engine sends. */", ["1: What the engine sends."]],
    ["\n/**\n * Those of the options\n * that are such.\n */", ["3: Those of the options"]],
    ["/** Of the run. */ a; /** Somebody waits. */", ["1: Of the run.", "1: Somebody waits."]],
    ["/** Offers a run. */ /** Hash of a body. */ /** Whatsoever. */", []],
    ["a;\n  // What the engine sends.\n", ["2: What the engine sends."]],
    ["// The engine sends\n// What it has. /* Of that kind. */", []],
    ["a; // What stands behind code.", []],
  ])("is found in %j", (source, expected) => {
    expect(headlessComments(source)).toEqual(expected);
  });
});

describe("a docstring", () => {
  const lab = realpathSync(mkdtempSync(join(tmpdir(), "perdure-docstrings-")));
  afterAll(() => rmSync(lab, { recursive: true, force: true }));

  function undocumented(source: string): string[] {
    const file = join(lab, "door.ts");
    writeFileSync(file, source);
    return publicNames(`${lab}/`, [file])
      .filter(({ documented }) => !documented)
      .map(({ name }) => name)
      .sort();
  }

  it("is asked of values, types and functions, and of nothing that isn't exported", () => {
    expect(
      undocumented(`
        export const a = 1;
        /** Said. */
        export const b = 2;
        export type C = string;
        export function d(): void {}
        const e = 3;
        /** Said at its declaration. */
        class F {}
        export { F as G };
      `),
    ).toEqual(["C", "a", "d"]);
  });

  it("is asked of methods, and of what people fill in", () => {
    expect(
      undocumented(`
        /** Said. */
        export class A {
          #hidden(): void {}
          shown(): void { this.#hidden(); }
          readonly part: B = new B();
          readonly plain = 1;
        }
        /** Said. */
        class B { method(): void {} }
        /** Said. */
        export interface SomeOptions {
          a: string;
          /** Said. */
          b: string;
        }
        /** Said. */
        export type OtherOptions = { c: string } & ({ d: 1; f?: never } | {
          e: 2;
          /** Said. */
          f: 3;
        });
        /** Said. */
        export interface Result { f: string }
      `),
    ).toEqual(["A.shown", "B.method", "OtherOptions.c", "OtherOptions.d", "OtherOptions.e", "SomeOptions.a"]);
  });

  it("may be the one of what is implemented, and may consist of what is thrown", () => {
    expect(
      undocumented(`
        /** Said. */
        export interface A {
          /** Said. */
          a(): void;
        }
        /** Said. */
        export class B implements A { a(): void {} }
        /** @throws TypeError always */
        export function c(): never { throw new TypeError(); }
      `),
    ).toEqual([]);
  });

  it("needs an example on functions, constants that are functions, and methods", () => {
    const file = join(lab, "examples.ts");
    writeFileSync(
      file,
      `
        export function a(): void {}
        export const b = (): void => {};
        export const c: () => void = b;
        /** @example d() */
        export const d: () => void = a;
        export const e = 1;
        export type F = () => void;
        export class G {
          /** @example g.shown() */
          shown(): void {}
          hidden(): void {}
        }
      `,
    );
    const names = publicNames(`${lab}/`, [file]).filter(({ callable }) => callable);
    expect(names.map(({ name, hasExample }) => [name, hasExample])).toEqual([
      ["a", false],
      ["b", false],
      ["c", false],
      ["d", true],
      ["G.shown", true],
      ["G.hidden", false],
    ]);
  });
});
