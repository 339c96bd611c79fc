import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./paths.ts";

/** A section of the sidebar: a heading of docs/README.md with the pages below it. */
export interface Section {
  readonly text: string;
  readonly link?: string;
  readonly collapsed?: boolean;
  readonly items: SidebarItem[];
}

interface SidebarItem {
  readonly text: string;
  readonly link: string;
  /** The page's subject, as docs/README.md has it. */
  readonly subject?: string;
}

/** Reads the sidebar from docs/README.md, so that a page is in both or in none. */
export function readSidebar(): Section[] {
  const [, ...sections] = readFileSync(join(ROOT, "docs", "README.md"), "utf8").split(/^## /m);
  return sections.map((section, at) => {
    const [text = ""] = section.split("\n", 1);
    const rows = section.matchAll(/^\| \[([^\]]+)\]\(([^)]+)\.md\) \| (.*) \|$/gm);
    const items = [...rows].map(([, name = "", path = "", subject = ""]) => ({
      text: name.replaceAll("`", ""),
      link: `/${path.replace(/README$/, "")}`,
      subject,
    }));
    return { text, collapsed: at > 1, items };
  });
}
