import { fileURLToPath } from "node:url";
import type { NextConfig } from "next";

export default {
  turbopack: { root: fileURLToPath(new URL("../../..", import.meta.url)) },
  // The cache serves the next build, and this one begins from nothing.
  experimental: { turbopackFileSystemCacheForBuild: false },
} satisfies NextConfig;
