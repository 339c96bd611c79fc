import { HEADER } from "@perdure/core/protocol";
import { expect, it } from "vitest";
import { createMetrics } from "../../src/cli/metrics.ts";
import { LOG_STATES } from "../../src/rules/log.ts";
import { ONCE, revive } from "../failing.ts";
import { APP, type Endpoint, failed, isFailure, ok, runIdOf, START, type World, world } from "../harness.ts";
import { app, CHILD, callStep, invokeStep, runStep, THIRD, workflow } from "../steps.ts";

const MINUTE = 60_000;
const LATER = { [HEADER.delay]: "1d" };
const GOOD = "https://a.test/good";
const BAD = "https://a.test/bad";
const REPORTS = { [HEADER.callback]: "https://a.test/each", [HEADER.failureCallback]: "https://a.test/last" };

const calling = workflow(callStep(), callStep({ options: LATER }));
const running = workflow(runStep, invokeStep("wfr_child"), runStep);
const others = app({ [CHILD]: workflow(), [GOOD]: () => ok() });

const endpoint: Endpoint = (call, self) => {
  if (isFailure(call)) return runIdOf(call) === "wfr_lost" ? failed(500, "deaf") : ok("{}");
  if (call.url === BAD || call.url === THIRD) return failed(500, "boom");
  if (call.url !== APP) return call.url === CHILD ? others(call, self) : ok();
  if (/bad|lost/.test(runIdOf(call))) return failed(500, "boom");
  return (runIdOf(call) === "wfr_calling" ? calling : running)(call, self);
};

const publish = async (w: World, url: string, headers: Record<string, string> = {}): Promise<string> =>
  (await w.ask("POST", `/v2/publish/${url}`, { headers })).body?.messageId;

async function publishing(w: World): Promise<void> {
  for (const url of [GOOD, BAD]) await publish(w, url, { ...REPORTS, ...ONCE });
  await publish(w, BAD, { [HEADER.retries]: "2", [HEADER.retryDelay]: "1000" });
  await publish(w, "https://a.test/last", { ...ONCE, [HEADER.callback]: BAD });
  for (let at = 0; at < 2; at++) await publish(w, GOOD, { [HEADER.deduplicationId]: "known" });
  const items = [
    { destination: GOOD },
    { destination: "no such group" },
    { destination: BAD, headers: ONCE },
  ];
  await w.ask("POST", "/v2/batch", { body: JSON.stringify(items) });
  const endpoints = [{ url: GOOD }, { url: "https://b.test/" }];
  await w.ask("POST", "/v2/topics/g/endpoints", { body: JSON.stringify({ endpoints }) });
  await w.ask("POST", "/v2/publish/g");
  await w.ask("POST", `/v2/schedules/${GOOD}`, {
    headers: { [HEADER.cron]: "* * * * *", [HEADER.scheduleId]: "s" },
  });
  await w.drain(START + MINUTE);
  await w.ask("DELETE", "/v2/schedules/s");
  await w.ask("POST", "/v2/dlq/retry?count=1");
}

async function cancelling(w: World): Promise<void> {
  await w.ask("DELETE", `/v2/messages/${await publish(w, GOOD, LATER)}`);
  for (let at = 0; at < 3; at++) await publish(w, GOOD, { ...LATER, [HEADER.label]: "bulk" });
  await w.ask("DELETE", "/v2/messages?label=bulk");
  for (const headers of [{}, LATER, { ...LATER, ...REPORTS }]) {
    await w.ask("POST", `/v2/enqueue/q/${GOOD}`, { headers });
  }
  await w.engine.idle();
  await w.ask("DELETE", "/v2/queues/q");
}

async function runs(w: World): Promise<void> {
  await w.start("wfr_good");
  for (const id of ["wfr_bad", "wfr_lost"]) {
    await w.start(id, { ...ONCE, [HEADER.failureCallback]: APP, [`${HEADER.failureCallback}-Retries`]: "0" });
    await w.engine.idle();
  }
  await revive(w, "restart");
  await w.start("wfr_calling");
  await w.start("wfr_late", LATER);
  await w.start("wfr_short", { ...LATER, [HEADER.runTimeout]: "1s" });
  await w.ask("POST", `/v2/trigger/${BAD}`, { headers: LATER });
  await w.drain(w.clock.now() + 2 * MINUTE);
  for (const id of ["wfr_calling", "wfr_late"]) await w.ask("DELETE", `/v2/workflows/runs/${id}?cancel=true`);
  await w.engine.idle();
}

/** What is counted of one kind, by state. */
function counts(text: string, name: string): Record<string, number> {
  const lines = [...text.matchAll(new RegExp(`^${name}\\{user="u",state="(\\w+)"\\} (\\d+)$`, "gm"))];
  return Object.fromEntries(lines.map(([, state, count]) => [state, Number(count)]));
}

function byState(states: readonly string[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const state of states) sums[state] = (sums[state] ?? 0) + 1;
  return sums;
}

it("what is counted are the entries of the log and the runs, whatever has become of them", async () => {
  const w = world(endpoint);
  const metrics = createMetrics();
  metrics.watch(w.store, "u");
  await publishing(w);
  await cancelling(w);
  await runs(w);
  const text = await (await metrics.render()).text();
  const { logs } = (await w.ask("GET", "/v2/logs?count=1000")).body;
  const logged = byState(logs.map(({ state }: { state: string }) => state));
  expect(Object.keys(logged).sort()).toEqual([...LOG_STATES].sort());
  expect(counts(text, "perdure_messages_total")).toEqual(logged);
  const all = (await w.ask("GET", "/v2/workflows/logs?count=10")).body.runs;
  const { RUN_STARTED: live, ...ended } = byState(
    all.map(({ workflowState }: { workflowState: string }) => workflowState),
  );
  expect([live, Object.keys(ended).sort()]).toEqual([1, ["RUN_CANCELED", "RUN_FAILED", "RUN_SUCCESS"]]);
  expect(counts(text, "perdure_runs_total")).toEqual({ RUN_STARTED: all.length, ...ended });
  const { CREATED, DELIVERED, FAILED, CANCELLED } = counts(text, "perdure_run_deliveries_total");
  // One is left: that of the live run.
  expect(CREATED).toBe(Number(DELIVERED) + Number(FAILED) + Number(CANCELLED) + 1);
  expect(FAILED).toBe(ended.RUN_FAILED);
});
