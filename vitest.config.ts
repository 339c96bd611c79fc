import { defineConfig } from "vitest/config";

/** `npm run vitest -- --project core` runs one of them. */
const suite = (name: string, folder: string, testTimeout: number) => ({
  test: { name, include: [`${folder}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout },
});

export default defineConfig({
  test: {
    // What a test writes to the console is shown when the test fails.
    silent: "passed-only",
    projects: [
      suite("core", "packages/core/test", 10_000),
      suite("adapters", "packages/adapters/test", 10_000),
      suite("engine", "packages/engine/test", 20_000),
      suite("examples", "examples/*/test", 60_000),
      suite("conformance", "conformance/test", 30_000),
      suite("e2e", "e2e/test", 60_000),
      suite("tools", "tools", 30_000),
    ],
  },
});
