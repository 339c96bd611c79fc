import { temporaryFolder } from "@perdure/test-support/process";
import { sampled } from "@perdure/test-support/sample";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { chaos } from "../chaos/chaos.ts";
import { seeded } from "./support/seed.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const SYSTEMS = [
  ["one engine on SQLite", "sqlite", 7000],
  ["two engines on PostgreSQL, which restarts, one of them frozen for a while", "postgres", 9000],
] as const;

// npm run chaos is the long version.
describe("processes that are killed again and again", () => {
  it.each(sampled(SYSTEMS, 2))(
    "keep every promise: %s",
    async (_name, store, duration) => {
      const { seed } = seeded();
      console.log(`SEED=${seed} repeats the programs and the moments of the faults`);
      const { violations, figures } = await chaos({ store, runs: 40, seed, duration, folder: folder.path });
      expect(violations).toEqual([]);
      expect(Object.values(figures.runs).reduce((sum, count) => sum + count)).toBe(40);
      expect(Object.keys(figures.faults)).toContainEqual(expect.stringMatching(/^kill -9/));
    },
    // A busy machine takes its time.
    300_000,
  );
});
