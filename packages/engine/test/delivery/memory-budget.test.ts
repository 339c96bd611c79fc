import { describe, expect, it } from "vitest";
import { MemoryBudget, type MemoryReservation } from "../../src/delivery/memory-budget.ts";

/** Asks for room. @returns whether it has been given */
async function asked(hold: MemoryReservation, bytes: number): Promise<() => boolean> {
  let given = false;
  void hold.take(bytes).then(() => {
    given = true;
  });
  await turn();
  return () => given;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("room for large bodies", () => {
  it("is given in turn, and waited for when there is none", async () => {
    const room = new MemoryBudget(10);
    const [first, favoured, third] = [room.reserve(), room.reserve(), room.reserve()];
    expect((await asked(first, 10))()).toBe(true);
    // One goes on without room, so that the others end.
    expect((await asked(favoured, 5))()).toBe(true);
    const waits = await asked(third, 1);
    expect(waits()).toBe(false);
    expect((await asked(favoured, 5))()).toBe(true);
    favoured.release();
    await turn();
    expect(waits()).toBe(true);
    first.release();
    third.release();
    expect(room.held).toBe(0);
  });

  it("never has bodies that were read by half wait for one another", async () => {
    const room = new MemoryBudget(100);
    let most = 0;
    const read = async (): Promise<void> => {
      const hold = room.reserve();
      for (let part = 0; part < 10; part++) {
        await hold.take(5);
        most = Math.max(most, room.held);
        await turn();
      }
      hold.release();
    };
    await Promise.all(Array.from({ length: 30 }, read));
    expect(room.held).toBe(0);
    expect(most).toBeLessThanOrEqual(150);
  });

  it("is given back by one that ends while it waits", async () => {
    const room = new MemoryBudget(10);
    const [first, second, third] = [room.reserve(), room.reserve(), room.reserve()];
    await first.take(10);
    await second.take(1);
    const waits = await asked(third, 5);
    third.release();
    await turn();
    expect(waits()).toBe(true);
    first.release();
    second.release();
    expect(room.held).toBe(0);
  });
});
