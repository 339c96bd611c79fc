import { describe, expect, it } from "vitest";
import { NO_POLICY } from "../../src/rules/delivery-policy.ts";
import type { NewRun, RunConfig } from "../../src/rules/run.ts";
import { decideStart, type StartDecision, type StartFacts } from "../../src/rules/start.ts";

const config = (triggerId?: string): RunConfig => ({
  ...NO_POLICY,
  forward: [],
  contentType: undefined,
  failureCallback: undefined,
  features: [],
  lifetime: undefined,
  triggerId,
});
const draft = (id: string, triggerId?: string): NewRun => ({
  id,
  url: "https://app.test/",
  createdAt: 0,
  callerIp: "",
  config: config(triggerId),
  awaitingConfiguration: false,
  invoker: undefined,
});

const NOTHING: StartFacts = {
  newRun: draft("wfr_1"),
  configuresRun: false,
  live: undefined,
  latest: undefined,
  invoker: "none",
  invokedBefore: false,
};
const live = {
  live: { awaitingConfiguration: false, config: config("t1") },
  latest: { config: config("t1") },
};
const awaiting = { ...live, live: { ...live.live, awaitingConfiguration: true } };
const ended = { latest: { config: config("t1") } };
const invoked = { invoker: "live" } as const;

const CASES: [string, Partial<StartFacts>, StartDecision][] = [
  ["a new id", {}, "start"],
  ["an id whose run has ended", ended, "start"],
  ["an id whose run is live", live, "repeat"],
  ["the trigger id of a live run", { ...live, newRun: draft("wfr_1", "t1") }, "repeat"],
  ["the trigger id of a run that has ended", { ...ended, newRun: draft("wfr_1", "t1") }, "repeat"],
  ["another trigger id, after the end", { ...ended, newRun: draft("wfr_1", "t2") }, "start"],
  ["another trigger id, while the run is live", { ...live, newRun: draft("wfr_1", "t2") }, "repeat"],
  ["a run named after its message", { newRun: draft("wfr_msg_1") }, "start"],
  ["a run named after its message, again after its end", { ...ended, newRun: draft("wfr_msg_1") }, "repeat"],
  ["a configuration of nothing", { configuresRun: true }, "nothing to configure"],
  ["a configuration of a run that has ended", { ...ended, configuresRun: true }, "nothing to configure"],
  ["a configuration", { ...awaiting, configuresRun: true }, "configure"],
  ["a configuration that comes twice", { ...live, configuresRun: true }, "repeat"],
  ["a start, while the run awaits its configuration", awaiting, "repeat"],
  ["an invocation", invoked, "start"],
  ["an invocation by a run that isn't live", { invoker: "not live" }, "invoker is not live"],
  ["an invocation that comes twice", { ...invoked, ...live, invokedBefore: true }, "repeat invocation"],
  [
    "an invocation that comes twice, after the end",
    { ...invoked, ...ended, invokedBefore: true },
    "repeat invocation",
  ],
  ["an invocation of a run that is live", { ...invoked, ...live }, "id is taken"],
  ["an invocation of an id whose run has ended", { ...invoked, ...ended }, "start"],
];

describe("the decision on a request to start a run", () => {
  it.each(CASES)("%s", (_, facts, decision) => {
    expect(decideStart({ ...NOTHING, ...facts })).toBe(decision);
  });
});
