import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fingerprintOf } from "../../src/delivery/keys.ts";
import { namedOptions, resolveOptions, type ScalarOptions } from "../../src/rules/engine-options.ts";
import {
  differencesBetween,
  type OwnConfiguration,
  toSharedConfiguration,
} from "../../src/rules/shared-configuration.ts";

const SECRETS = { "signing keys": ["a", "b"], tokens: ["t"], "read-only tokens": [] };

const configured = (
  options: ScalarOptions = {},
  { secrets = {}, destinations }: { secrets?: object; destinations?: OwnConfiguration["destinations"] } = {},
) =>
  toSharedConfiguration({
    secrets: { ...SECRETS, ...secrets },
    options: resolveOptions(options),
    destinations,
  });

describe("the differences between two engines", () => {
  it.each(namedOptions())("are told of %s unless it is a process's own", (name, row) => {
    const [group, key] = name.split(".");
    const value = { flag: row.default !== true, name: "EU" }[row.is as string] ?? 7;
    const other = configured((key ? { [group as string]: { [key]: value } } : { [name]: value }) as object);
    const found = differencesBetween(configured(), other);
    // A message has no more time than a delivery.
    const told = found.filter((text) => !text.includes("timeouts.message") || name === "timeouts.message");
    expect(told.map((text) => text.split(" ")[1])).toEqual(row.perEngine ? [] : [name]);
    expect(differencesBetween(other, configured())).toHaveLength(found.length);
    expect(differencesBetween(other, other)).toEqual([]);
  });

  it("have the values with their units", () => {
    const found = differencesBetween(configured({ timeouts: { message: 5000 } }), configured());
    expect(found).toEqual(["has timeouts.message 300000 ms, and this one 5000 ms"]);
    const limited = configured({ limits: { delay: 1000 } });
    expect(differencesBetween(limited, configured())).toEqual([
      "has limits.delay unlimited, and this one 1000 ms",
    ]);
  });

  it("are none when keys and tokens overlap, in any order", () => {
    const own = configured({}, { secrets: { tokens: ["t", "u"] } });
    const other = configured({}, { secrets: { tokens: ["v", "u"], "signing keys": ["b", "c"] } });
    expect(differencesBetween(own, other)).toEqual([]);
  });

  it("are told of read-only tokens that only one of them has", () => {
    const other = configured({}, { secrets: { "read-only tokens": ["r"] } });
    for (const found of [differencesBetween(configured(), other), differencesBetween(other, configured())]) {
      expect(found).toEqual([expect.stringMatching(/^has other read-only tokens: /)]);
    }
  });

  it("are told of destinations, in whatever order they are listed", () => {
    const one = configured({}, { destinations: { allow: ["a.test", "b.test"] } });
    const same = configured({}, { destinations: { allow: ["b.test", "a.test"], deny: [] } });
    const denied = configured({}, { destinations: { deny: ["a.test", "b.test"] } });
    expect(differencesBetween(one, same)).toEqual([]);
    for (const other of [denied, configured()]) {
      expect(differencesBetween(one, other)).toEqual(["has another policy on destinations"]);
    }
  });
});

describe("the fingerprint of a secret", () => {
  it("fits so many other secrets that it can't confirm a guess", () => {
    const words = Array.from({ length: 80_000 }, (_, at) => `word-${at}`);
    const own = fingerprintOf("word-17");
    expect(words.filter((word) => fingerprintOf(word) === own).length).toBeGreaterThan(1);
  });
});

it("the guide lists the options in which engines may differ", () => {
  const page = readFileSync(new URL("../../../../docs/postgres.md", import.meta.url), "utf8");
  const [, listed = ""] =
    /These options may\s+differ, because they limit one process: (.*?)\.\n\n/s.exec(page) ?? [];
  expect([...listed.matchAll(/`([^`]+)`/g)].map(([, name]) => name)).toEqual(
    namedOptions().flatMap(([name, row]) => (row.perEngine ? [name] : [])),
  );
});
