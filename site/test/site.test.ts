import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";
import { guideFiles } from "../src/guides.ts";
import { DIST } from "../src/paths.ts";
import { readSidebar } from "../src/sidebar.ts";

const html = readdirSync(DIST, { recursive: true, encoding: "utf8" }).filter((name) =>
  name.endsWith(".html"),
);
const sources = new Map(html.map((name) => [name, readFileSync(join(DIST, name), "utf8")]));
const anchors = new Map([...sources].map(([name, source]) => [name, anchorsIn(source)]));

function anchorsIn(source: string): Set<string> {
  return new Set([...source.matchAll(/ id="([^"]+)"/g)].map(([, id = ""]) => id));
}

/** Links of a page within the site, as the file that each leads to, with its anchor. */
function linksOf(name: string): { readonly to: string; readonly file: string; readonly anchor: string }[] {
  const links = (sources.get(name) ?? "").matchAll(/<a [^>]*href="(?!\w+:|\/\/)([^"]*)"/g);
  return [...links].map(([, to = ""]) => {
    const [path = "", anchor = ""] = to.split("#");
    const place = path.startsWith("/") ? path.slice(1) : join(dirname(name), path);
    const file = path === "" ? name : normalize(/\/$|^$/.test(place) ? `${place}index` : place);
    return { to, file: /\.\w+$/.test(file) ? file : `${file}.html`, anchor: decodeURIComponent(anchor) };
  });
}

describe("the site", () => {
  it("has a page for each guide, as HTML and as Markdown", () => {
    const pages = [...guideFiles().keys()];
    expect(pages.filter((page) => !sources.has(page.replace(/md$/, "html")))).toEqual([]);
    expect(pages.filter((page) => !existsSync(join(DIST, page)))).toEqual([]);
  });

  it("has a reference of each package, with the docstrings", () => {
    expect(sources.get("reference/core/index.html")).toContain("Pauses the run for seconds or a duration");
    expect(sources.get("reference/engine/index.html")).toContain("createEngine");
    expect(sources.get("reference/adapters/hono.html")).toContain("toHono");
    expect(sources.get("reference/adapters/express.html")).toContain("toExpress");
    expect(sources.get("reference/test/index.html")).toContain("testEngine");
    expect(sources.get("reference/otel/index.html")).toContain("openTelemetry");
  });

  it.each(html.filter((name) => name !== "404.html"))("%s links to what is there", (name) => {
    const broken = linksOf(name).filter(({ file, anchor }) => {
      if (!existsSync(join(DIST, file))) return true;
      return anchor !== "" && !anchors.get(file)?.has(anchor);
    });
    expect(broken).toEqual([]);
  });

  it("shows no comment of the pages' sources", () => {
    expect(
      [...sources].filter(([, source]) => /serves: |declare const/.test(source)).map(([name]) => name),
    ).toEqual([]);
  });

  it("has every guide in its sidebar", () => {
    const linked = readSidebar().flatMap(({ items }) => items.map(({ link }) => link));
    const guides = [...guideFiles().keys()]
      .filter((page) => !/^(?:index|guides)\.md$|^quickstarts\/(?!index)/.test(page))
      .map((page) => `/${page.replace(/(?:index)?\.md$/, "")}`);
    expect(linked.sort()).toEqual(guides.sort());
  });

  it("searches without a network: the index is one of its files", () => {
    const chunks = readdirSync(join(DIST, "assets", "chunks"));
    const index = chunks.find((name) => name.startsWith("@localSearchIndex")) ?? expect.fail("no index");
    const text = readFileSync(join(DIST, "assets", "chunks", index), "utf8");
    for (const word of ["failurefunction", "rollback", "idempotencykey"])
      expect(text.toLowerCase()).toContain(word);
    const foreign = [...sources].filter(([, source]) =>
      /<(?:script|link)[^>]*(?:src|href)="https?:/.test(source),
    );
    expect(foreign.map(([name]) => name)).toEqual([]);
  });

  it("lists its pages for language models, each with its Markdown", () => {
    const list = readFileSync(join(DIST, "llms.txt"), "utf8");
    const files = [...list.matchAll(/\]\(\/([^)]+)\)/g)].map(([, file = ""]) => file);
    expect(files.length).toBeGreaterThan(20);
    expect(list).toContain("- [Rollbacks](/rollbacks.md): undoing steps\n");
    expect(list).not.toContain("undefined");
    expect(files.filter((file) => !existsSync(join(DIST, file)))).toEqual([]);
    expect(readFileSync(join(DIST, "llms-full.txt"), "utf8")).toContain("# Getting started");
  });
});
