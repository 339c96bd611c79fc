import { fileURLToPath } from "node:url";
import type { NextConfig } from "next";

export default {
  // Within this repository the packages are TypeScript, and lie outside of this folder.
  turbopack: { root: fileURLToPath(new URL("../..", import.meta.url)) },
} satisfies NextConfig;
