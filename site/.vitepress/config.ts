import { defineConfig } from "vitepress";

export default defineConfig({
  srcDir: "../docs",
  outDir: "dist",
  title: "Perdure",
  themeConfig: { search: { provider: "local" } },
  ignoreDeadLinks: true,
});
