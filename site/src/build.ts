// pnpm --filter @perdure/site build: the guides and the API reference as static pages in dist/.
// With --dev: serves them, and reads docs/ once, at the start.
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, createServer } from "vitepress";
import { readGuides } from "./guides.ts";
import { writeLlms } from "./llms.ts";
import { PAGES, ROOT } from "./paths.ts";
import { writeReference } from "./reference.ts";
import { readSidebar } from "./sidebar.ts";

const SITE = fileURLToPath(new URL("..", import.meta.url));
const images = join(ROOT, "docs", "images");

rmSync(PAGES, { recursive: true, force: true });
const pages = readGuides();
for (const { path, text } of pages) {
  mkdirSync(dirname(join(PAGES, path)), { recursive: true });
  writeFileSync(join(PAGES, path), text);
}
if (existsSync(images)) cpSync(images, join(PAGES, "images"), { recursive: true });
await writeReference();

if (process.argv.includes("--dev")) {
  const server = await createServer(SITE);
  await server.listen();
  server.printUrls();
} else {
  await build(SITE);
  writeLlms(pages, readSidebar());
}
