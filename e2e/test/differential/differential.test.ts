import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { differences } from "./differences.ts";
import { scenarios } from "./scenarios/index.ts";
import { compare, type Difference } from "./support/compare.ts";
import { Explanations } from "./support/explain.ts";
import { perform } from "./support/perform.ts";
import { Recorder } from "./support/recorder.ts";
import type { Scenario } from "./support/scenario.ts";
import { ourSdk, upstreamSdk } from "./support/sdks.ts";

const explanations = new Explanations(differences);
const compared = new Map<Scenario, Difference[]>();
let recorder: Recorder;

beforeAll(async () => {
  // Both write failures to the console, and here nearly everything fails.
  for (const method of ["debug", "error", "info", "log", "warn"] as const)
    vi.spyOn(console, method).mockReturnValue();
  recorder = await Recorder.start();
});
afterAll(async () => {
  await recorder.stop();
  vi.restoreAllMocks();
});

async function differencesOf(scenario: Scenario): Promise<Difference[]> {
  const known = compared.get(scenario);
  if (known) return known;
  const upstream = await perform(scenario, upstreamSdk, recorder);
  const ours = await perform(scenario, ourSdk, recorder);
  const found = compare(upstream, ours);
  compared.set(scenario, found);
  return found;
}

describe("the same source with @upstash/workflow and with @perdure/core", () => {
  it.each(scenarios)("differs as the table says: $name", async (scenario) => {
    expect(explanations.explain(scenario.name, await differencesOf(scenario))).toEqual([]);
  });
});

describe("the table of differences", () => {
  it("has only lines that still are differences", async () => {
    // Also when only some of the tests are run.
    for (const scenario of scenarios) explanations.explain(scenario.name, await differencesOf(scenario));
    expect(explanations.unneeded()).toEqual([]);
  });

  it("names each line and each scenario once", () => {
    for (const names of [differences.map(({ id }) => id), scenarios.map(({ name }) => name)])
      expect(new Set(names).size).toBe(names.length);
  });
});
