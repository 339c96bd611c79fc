import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { REPOSITORY, ROOT } from "./paths.ts";

/** A page of the site. */
export interface SitePage {
  /** Path below the site's root, such as `quickstarts/hono.md`. */
  readonly path: string;
  readonly title: string;
  readonly text: string;
}

/** Files in the checkout that are pages, by the page's path: the README, and everything in docs/. */
export function guideFiles(): Map<string, string> {
  const names = readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".md"),
  );
  const pages = names.map((name): [string, string] => [pageOf(name), join("docs", name)]);
  return new Map([["index.md", "README.md"], ...pages.sort()]);
}

/** `README.md` of docs/ lists all guides; that of another folder is the folder's index. */
function pageOf(name: string): string {
  return name === "README.md" ? "guides.md" : name.replace(/README\.md$/, "index.md");
}

/** Reads the guides as pages of the site. */
export function readGuides(): SitePage[] {
  const files = guideFiles();
  const pages = new Map([...files].map(([page, file]) => [join(ROOT, file), page]));
  return [...files].map(([path, file]) => {
    const text = toPage(readFileSync(join(ROOT, file), "utf8"), path, join(ROOT, file), pages);
    return { path, title: titleOf(text), text };
  });
}

export function titleOf(text: string): string {
  return /^# (.+)$/m.exec(text)?.[1] ?? "";
}

/** Leaves out comments and the marks of the tests, and makes links lead to pages of the site or to the repository. */
function toPage(text: string, path: string, file: string, pages: ReadonlyMap<string, string>): string {
  return text
    .replace(/^<!--[\s\S]*?-->\n*/gm, "")
    .replace(/^```(\w+) runnable.*$/gm, "```$1")
    .replace(/\]\((?!\w+:|#)([^)#\s]+)(#[^)]*)?\)/g, (_, link: string, anchor = "") => {
      return `](${targetOf(join(dirname(file), link), path, pages)}${anchor})`;
    });
}

function targetOf(target: string, from: string, pages: ReadonlyMap<string, string>): string {
  const page = pages.get(target);
  if (page !== undefined) return relativeLink(from, page);
  const place = relative(ROOT, target);
  if (!existsSync(target)) throw new Error(`${from} links to ${place}, which doesn't exist.`);
  return place.startsWith("docs/images/") ? relativeLink(from, place.slice(5)) : `${REPOSITORY}/${place}`;
}

function relativeLink(from: string, to: string): string {
  const link = posix.relative(posix.dirname(from), to);
  return link.startsWith(".") ? link : `./${link}`;
}
