import type { Command } from "../rules/command.ts";

/** Messages and bytes that one transaction stores: a few milliseconds' work, for which every other request waits. */
const SLICE = { count: 64, bytes: 1024 * 1024 };

/** Divides commands into those that one transaction stores each. */
export function toSlices<One extends Command>(commands: readonly One[]): One[][] {
  const slices: One[][] = [];
  let [count, bytes] = [0, 0];
  for (const command of commands) {
    const size = (command.kind === "start" ? command.payload : command.message.body)?.length ?? 0;
    const slice = slices.at(-1);
    if (slice && count < SLICE.count && bytes + size <= SLICE.bytes) slice.push(command);
    else {
      slices.push([command]);
      [count, bytes] = [0, 0];
    }
    count++;
    bytes += size;
  }
  return slices;
}
