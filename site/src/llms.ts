import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { SitePage } from "./guides.ts";
import { DIST } from "./paths.ts";
import type { Section } from "./sidebar.ts";

/**
 * Writes the guides for programs that read Markdown: each page as `PAGE.md` beside its HTML, `llms.txt` with a link to each,
 * and all of them in `llms-full.txt`.
 */
export function writeLlms(pages: readonly SitePage[], sections: readonly Section[]): void {
  for (const { path, text } of pages) {
    mkdirSync(dirname(join(DIST, path)), { recursive: true });
    writeFileSync(join(DIST, path), text);
  }
  const lists = sections.map(({ text, items }) => {
    const lines = items.map((item) => {
      const file = `${item.link.replace(/\/$/, "/index")}.md`;
      return `- [${item.text}](${file}): ${item.subject}`;
    });
    return `## ${text}\n\n${lines.join("\n")}\n`;
  });
  const head =
    "# Perdure\n\n> Durable workflows for every fetch runtime, whose failures always reach your code.\n";
  writeFileSync(join(DIST, "llms.txt"), [head, ...lists].join("\n"));
  writeFileSync(join(DIST, "llms-full.txt"), pages.map(({ text }) => text).join("\n\n---\n\n"));
}
