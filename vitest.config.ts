import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

interface Suite {
  readonly timeout: number;
  /** Files of one worker share the modules that they import: what a file changes in them, or of the globals, it changes back. */
  readonly isolate?: false;
}

/** `npm run vitest -- --project core` runs one of them. */
const suite = (name: string, folder: string, how: Suite) => files(name, [`${folder}/**/*.test.ts`], how);

const files = (name: string, include: string[], { timeout, ...how }: Suite, exclude: string[] = []) => ({
  test: { name, include, exclude, testTimeout: timeout, hookTimeout: timeout, ...how },
});

/** Of applications that have to be built: `npm test -- nextjs` and `npm run test:frameworks` do, and then run these. */
const BUILT = "conformance/frameworks/*.test.ts";
const NEXTJS = "conformance/frameworks/nextjs.test.ts";

export default defineConfig({
  test: {
    // What a test writes to the console is shown when the test fails.
    silent: "passed-only",
    // Of what is slow on a machine that is busy with both workers nobody has to be told.
    slowTestThreshold: 10_000,
    // Vitest would leave one out for itself. It has little to do, and many tests wait for processes that they have started.
    maxWorkers: availableParallelism(),
    projects: [
      suite("core", "packages/core/test", { timeout: 10_000, isolate: false }),
      suite("adapters", "packages/adapters/test", { timeout: 10_000, isolate: false }),
      suite("engine", "packages/engine/test", { timeout: 20_000, isolate: false }),
      suite("examples", "examples/*/test", { timeout: 60_000 }),
      suite("conformance", "conformance/test", { timeout: 30_000 }),
      files("nextjs", [NEXTJS], { timeout: 30_000 }),
      files("frameworks", [BUILT], { timeout: 30_000 }, [NEXTJS]),
      suite("e2e", "e2e/test", { timeout: 60_000 }),
      suite("tools", "tools", { timeout: 30_000 }),
    ],
  },
});
