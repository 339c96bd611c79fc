import { defineConfig } from "vitepress";
import { readReferenceSidebar } from "../src/reference.ts";
import { readSidebar } from "../src/sidebar.ts";
import { slugify } from "../src/slug.ts";

export default defineConfig({
  title: "Perdure",
  description: "Durable workflows for every fetch runtime, whose failures always reach your code.",
  srcDir: ".pages",
  outDir: "dist",
  cleanUrls: true,
  lastUpdated: false,
  ignoreDeadLinks: [/^http:\/\/localhost/],
  markdown: { anchor: { slugify } },
  themeConfig: {
    // The index is part of the site: search works without a service, and without a network.
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      { text: "Guides", link: "/getting-started" },
      { text: "API", link: "/reference/" },
      { text: "For language models", link: "/llms.txt", target: "_blank" },
    ],
    sidebar: { "/reference/": readReferenceSidebar(), "/": readSidebar() },
    footer: { message: "MIT licence" },
  },
});
