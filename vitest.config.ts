import { defineConfig } from "vitest/config";

/** `npm run vitest -- --project core` runs one of them. */
const suite = (name: string, folder: string, testTimeout: number) =>
  files(name, [`${folder}/**/*.test.ts`], testTimeout);

const files = (name: string, include: string[], testTimeout: number, exclude: string[] = []) => ({
  test: { name, include, exclude, testTimeout, hookTimeout: testTimeout },
});

/** Of applications that have to be built: `npm test -- nextjs` and `npm run test:frameworks` do, and then run these. */
const BUILT = "conformance/frameworks/*.test.ts";
const NEXTJS = "conformance/frameworks/nextjs.test.ts";

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
      files("nextjs", [NEXTJS], 30_000),
      files("frameworks", [BUILT], 30_000, [NEXTJS]),
      suite("e2e", "e2e/test", 60_000),
      suite("tools", "tools", 30_000),
    ],
  },
});
