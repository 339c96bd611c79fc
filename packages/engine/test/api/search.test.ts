import { expect, it } from "vitest";
import { failed, isFailure, ok, type World, world } from "../harness.ts";

/** The runs that a search finds, or its status and error. */
async function find(w: World, search: string, token?: string): Promise<unknown> {
  const path = `/v2/workflows/runs?search=${encodeURIComponent(search)}`;
  const { status, body } = await w.ask("GET", path, token === undefined ? {} : { token });
  if (status !== 200) return [status, body.error];
  return body.runs.map(({ workflowRunId: id }: { workflowRunId: string }) => id);
}

it("finds runs by words, at once, with the other filters", async () => {
  const w = world((call) => (isFailure(call) ? ok("{}") : failed(489, "card declined")));
  await w.start("wfr_1", { "Upstash-Retries": "0" }, '{"customer":"Zoe Miller"}');
  await w.start("wfr_2", { "Upstash-Delay": "1h" }, '{"customer":"Zoe Smith"}');
  await w.engine.idle();
  expect(await find(w, "zoe")).toEqual(["wfr_2", "wfr_1"]);
  expect(await find(w, "zoe decl")).toEqual(["wfr_1"]);
  expect(await find(w, '"zoe mill"')).toEqual([]);
  expect(await find(w, " ")).toEqual(["wfr_2", "wfr_1"]);
  expect(await find(w, "!!!")).toEqual([
    400,
    'invalid parameter search: it has no word to search for, got "!!!"',
  ]);
  const counts = await w.ask("GET", "/v2/workflows/counts?search=zoe&state=RUN_FAILED");
  expect(counts.body.total).toBe(1);
  const bulk = "/v2/workflows/bulk/cancel?search=smith";
  expect((await w.ask("POST", `${bulk}&dryRun=true`)).body).toEqual({ dryRun: true, matched: 1 });
  expect((await w.ask("POST", bulk)).body).toEqual({ dryRun: false, changed: 1 });
  expect((await w.ask("POST", "/v2/workflows/bulk/cancel?search=")).status).toBe(400);
  const { runs } = await w.engine.runs.find({ search: "smith", state: "RUN_CANCELED" });
  expect(runs).toMatchObject([{ workflowRunId: "wfr_2" }]);
});

it("isn't for tokens that see no payloads", async () => {
  for (const hidePayloads of [true, false]) {
    const w = world(undefined, { readOnlyTokens: ["reads"], hidePayloads });
    await w.start("wfr_1", {}, '"secret"');
    const forbidden = [403, "forbidden: a token that sees no payloads may not search in them"];
    expect(await find(w, "secret", "reads")).toEqual(hidePayloads ? forbidden : ["wfr_1"]);
    expect(await find(w, "secret")).toEqual(["wfr_1"]);
    const counts = await w.ask("GET", "/v2/workflows/counts?search=secret", { token: "reads" });
    expect(counts.status).toBe(hidePayloads ? 403 : 200);
    const access = await w.ask("GET", "/v2/workflows/access", { token: "reads" });
    expect(access.body).toMatchObject({ payloads: !hidePayloads, search: !hidePayloads });
  }
});

it("can be switched off", async () => {
  const w = world(undefined, { search: false });
  await w.start("wfr_1", {}, '"secret"');
  expect(await find(w, "secret")).toEqual([501, "the search is off: the option search is false"]);
  expect((await w.ask("GET", "/v2/workflows/access")).body.search).toBe(false);
});
