import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Thread } from "../../src/store/sqlite/thread.ts";

/** Milliseconds after which the threads of these tests end. */
const IDLE = 2;
const gate = new Int32Array(new SharedArrayBuffer(4));
let thread: Thread;
const run = (operation: string): Promise<unknown> => thread.run({ operation, args: [], now: 0 });
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

beforeEach(() => {
  Atomics.store(gate, 0, 0);
  thread = new Thread(new URL("./stuck-thread.ts", import.meta.url), gate, IDLE);
});
afterEach(async () => thread.close());

describe("a thread without an operation", () => {
  it("ends, and begins again with the next one", async () => {
    for (const operation of ["a", "b"]) {
      expect(await run(operation)).toBe(operation);
      expect(thread.isRunning).toBe(true);
      await expect.poll(() => thread.isRunning).toBe(false);
    }
  });

  it("loses none that comes while it ends", async () => {
    for (let at = 0; at < 20; at++) {
      const both = [run(`${at} a`), run(`${at} b`)];
      expect(await Promise.all(both)).toEqual([`${at} a`, `${at} b`]);
      await pause(at % 2 === 0 ? IDLE : IDLE - 1);
    }
  });

  it("doesn't end during one that takes longer", async () => {
    await run("a");
    const stuck = run("stuck");
    await pause(10 * IDLE);
    expect(thread.isRunning).toBe(true);
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    expect(await stuck).toBe("stuck");
  });

  it("has ended once it is closed", async () => {
    await run("a");
    await expect.poll(() => thread.isRunning).toBe(false);
    await thread.close();
    await expect(run("b")).rejects.toMatchObject({ name: "StoreUnavailable" });
  });
});
