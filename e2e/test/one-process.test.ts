import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Process, temporaryFolder } from "@perdure/test-support/process";
import { expect, it, onTestFinished } from "vitest";
import { seeded } from "./support/seed.ts";

const APP = fileURLToPath(new URL("support/one-process-app.ts", import.meta.url));
const RUNS = 20;
const KILLS = 6;
const STEPS = 12;

/** What a step has noted when it ran. */
interface Note {
  readonly run: number;
  readonly step: number;
  /** The result of this execution. */
  readonly own: string;
  /** The results of the steps before. */
  readonly seen: readonly string[];
}

it("an engine and its endpoint that die together, again and again, lose no run and no step", async () => {
  const random = seeded();
  const folder = temporaryFolder();
  onTestFinished(() => folder.remove());
  const diary = join(folder.path, "diary");
  const start = (): Process => Process.node(APP, [join(folder.path, "engine.db"), diary, String(RUNS)]);
  for (let kill = 0; kill < KILLS; kill++) {
    const app = start();
    const before = notesOf(diary).length;
    // It is killed while it runs steps, and not while it begins.
    const isAtWork = (): boolean => notesOf(diary).length > before || app.lines.some(isPrinted);
    await expect.poll(isAtWork, { interval: 5 }).toBe(true);
    await setTimeout(random.next() * 30);
    await app.kill("SIGKILL");
  }
  const last = start();
  onTestFinished(() => void last.kill("SIGKILL"));
  const [, printed = ""] = await last.line(/^results (.*)$/);
  const results: string[][] = JSON.parse(printed);
  const notes = notesOf(diary);
  const seed = `seed ${random.seed}`;
  expect(results, seed).toHaveLength(RUNS);
  for (const [run, result] of results.entries()) {
    const own = notes.filter((note) => note.run === run);
    expect(result, seed).toHaveLength(STEPS);
    for (const [step, recorded] of result.entries()) {
      const executions = own.filter((note) => note.step === step);
      expect(
        executions.map((note) => note.own),
        seed,
      ).toContain(recorded);
      // A step that ran twice wasn't recorded the first time, so no other step has seen that.
      expect(executions.length, seed).toBeLessThanOrEqual(KILLS + 1);
    }
    // Every step has seen the results of the run, and none that was lost.
    for (const note of own) expect(note.seen, seed).toEqual(result.slice(0, note.step));
  }
});

/** Whether a line has the results: all runs may end before the last kill. */
function isPrinted(line: string): boolean {
  return line.startsWith("results ");
}

function notesOf(diary: string): Note[] {
  const lines = readFileSync(diary, { encoding: "utf8", flag: "a+" }).split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}
