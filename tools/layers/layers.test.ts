import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { type Import, importsOf, LAYERS, refusalOf } from "./layers.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const sourceOf = (name: string): string => join(ROOT, "packages", name, "src");
const filesOf = (name: string): string[] =>
  readdirSync(sourceOf(name), { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => /\.tsx?$/.test(file));

describe.each(Object.keys(LAYERS))("%s", (name) => {
  test("imports go down only", () => {
    const all = filesOf(name).flatMap((file) =>
      importsOf(file, readFileSync(join(sourceOf(name), file), "utf8")),
    );
    expect(all.length).toBeGreaterThan(5);
    const refused = all.flatMap((one) => {
      const why = refusalOf(name, one);
      return why ? [`${one.file}:${one.line} imports ${one.specifier}: ${why}`] : [];
    });
    expect(refused).toEqual([]);
  });

  test("every place that its table names is there", () => {
    const there = new Set(filesOf(name).map((file) => file.split("/")[0]));
    const named = LAYERS[name]?.flatMap(({ places }) => places).filter((place) => place !== "*") ?? [];
    expect(named.filter((place) => !there.has(place))).toEqual([]);
  });
});

describe("the rules fire", () => {
  const line = (file: string, specifier: string): Import => ({ file, line: 1, specifier });

  test.each([
    ["engine", line("rules/a.ts", "../store/b.ts")],
    ["engine", line("rules/a.ts", "node:fs")],
    ["engine", line("rules/a.ts", "zod")],
    ["engine", line("rules/a.ts", "@perdure/core")],
    ["engine", line("store/tables/a.ts", "../../commands/b.ts")],
    ["engine", line("store/a.ts", "../engine.ts")],
    ["engine", line("http/a.ts", "@perdure/core/qstash")],
    ["engine", line("http/a.ts", "./../http/b.ts/../c.ts")],
    ["engine", line("commands/a.ts", "../../../core/src/index.ts")],
    ["core", line("server/a.ts", "jose")],
    ["core", line("serve.ts", "node:http")],
    ["core", line("serve.ts", "hono")],
    ["adapters", line("internal/a.ts", "../hono.ts")],
    ["adapters", line("hono.ts", "hono")],
  ])("%s: %o", (name, one) => {
    expect(refusalOf(name, one)).toEqual(expect.any(String));
  });

  test.each([
    ["engine", line("store/tables/a.ts", "../../rules/b.ts")],
    ["engine", line("store/tables/a.ts", "../tx.ts")],
    ["engine", line("http/a.ts", "hono/cors")],
    ["core", line("serve.ts", "./protocol/index.ts")],
  ])("%s: %o is fine", (name, one) => {
    expect(refusalOf(name, one)).toBeUndefined();
  });

  test("for every form of an import", () => {
    const text = [
      'import { a } from "./1.ts";',
      'import type { B } from "./2.ts";',
      'import "./3.ts";',
      'export * from "./4.ts";',
      'const c = await import("./5.ts");',
      'type D = import("./6.ts").D;',
      "import {",
      "  e,",
      '} from "./7.ts";',
      '// import "./no.ts";',
    ].join("\n");
    expect(importsOf("x.ts", text).map(({ specifier }) => specifier)).toEqual(
      [1, 2, 3, 4, 5, 6, 7].map((at) => `./${at}.ts`),
    );
  });
});
