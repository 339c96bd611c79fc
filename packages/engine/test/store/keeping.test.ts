import { expect, it } from "vitest";
import { fifoCache } from "../../src/store/fifo-cache.ts";

it("what is kept is made once, until as much has been made after it", () => {
  const made: string[] = [];
  const get = fifoCache(2, (key) => {
    made.push(key);
    return { key };
  });
  const a = get("a");
  get("b");
  expect(get("a")).toBe(a);
  expect(made).toEqual(["a", "b"]);
  get("c");
  expect(get("b")).toEqual({ key: "b" });
  expect(get("a")).toEqual({ key: "a" });
  expect(made).toEqual(["a", "b", "c", "a"]);
});
