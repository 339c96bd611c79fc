import { mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Named, publicNames } from "./docstrings.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Their names and types say it all, or they only group what is explained within. */
const PLAIN = [
  "DeadLetterFilters.workflowRunId",
  "LogsOptions.filter",
  "LogsOptions.state",
  "LogsOptions.workflowRunId",
  "RunFilters.state",
  "RunFilters.workflowRunId",
];

/** What users import from. */
const DOORS = [
  "packages/core/src/index.ts",
  "packages/core/src/protocol/index.ts",
  ...readdirSync(join(ROOT, "packages/adapters/src"))
    .filter((file) => file.endsWith(".ts"))
    .map((file) => `packages/adapters/src/${file}`),
  "packages/engine/src/index.ts",
];

describe("every public name", () => {
  let names: Named[];
  beforeAll(() => {
    const doors = DOORS.map((door) => join(ROOT, door));
    names = publicNames(ROOT, doors);
  });

  it("has a docstring, or is plain", () => {
    const missing = names.filter(({ name, documented }) => !documented && !PLAIN.includes(name));
    expect(missing.map(({ name, place }) => `${name} (${place})`)).toEqual([]);
  });

  it("that is called plain has none", () => {
    const bare = names.filter(({ documented }) => !documented).map(({ name }) => name);
    expect(PLAIN.filter((name) => !bare.includes(name))).toEqual([]);
  });

  it("is seen", () => {
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
});
