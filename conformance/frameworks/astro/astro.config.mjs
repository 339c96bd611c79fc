import node from "@astrojs/node";
import { defineConfig } from "astro/config";

export default defineConfig({
  output: "server",
  adapter: node({ mode: "standalone" }),
  // The suite posts forms, too, as a caller of a webhook may.
  security: { checkOrigin: false },
});
