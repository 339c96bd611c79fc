import { defineConfig } from "vitepress";
import { readReferenceSidebar } from "../src/reference.ts";
import { readSidebar } from "../src/sidebar.ts";
import { slugify } from "../src/slug.ts";

/** Ranks guides above the API reference. It runs in the browser, so it uses nothing from here. */
function boostDocument(id: string): number {
  return id.startsWith("/reference/") ? 0.3 : 1;
}

export default defineConfig({
  title: "Perdure",
  description: "Durable workflows for every fetch runtime, whose failures always reach your code.",
  srcDir: ".pages",
  outDir: "dist",
  cleanUrls: true,
  lastUpdated: false,
  ignoreDeadLinks: [/^http:\/\/localhost/],
  // On a small screen a table scrolls sideways instead of breaking its words.
  head: [["style", {}, "@media (max-width: 640px) { .vp-doc td { min-width: 9rem } }"]],
  markdown: { anchor: { slugify } },
  themeConfig: {
    // The index is part of the site: search works without a service, and without a network.
    search: { provider: "local", options: { miniSearch: { searchOptions: { boostDocument } } } },
    outline: [2, 3],
    nav: [
      { text: "Guides", link: "/getting-started" },
      { text: "API", link: "/reference/" },
      { text: "For language models", link: "/llms.txt", target: "_blank" },
    ],
    sidebar: { "/reference/": readReferenceSidebar(), "/": readSidebar() },
    notFound: {
      title: "This page doesn't exist",
      quote: "Search for a word of it, or begin with the guides in the sidebar of the first page.",
      linkText: "First page",
    },
    footer: { message: "MIT licence" },
  },
});
