import { HEADER } from "@perdure/core/protocol";
import { ON_POSTGRES } from "@perdure/test-support/mode";
import { describe, expect, it } from "vitest";
import { openSqlite, StoreUnavailable } from "../../src/index.ts";
import { Database } from "../../src/store/sqlite/database.ts";
import { sql } from "../../src/store/tx.ts";
import { crash, never, useMachine } from "../crashing.ts";
import {
  type Call,
  type Endpoint,
  failed,
  historyOf,
  isFailure,
  ok,
  result,
  runIdOf,
  START,
  sequence,
  until,
  type World,
  world,
} from "../harness.ts";

/** When deliveries that a dead engine has left are due again: a takeover on PostgreSQL comes seconds after the death. */
const GRACE = ON_POSTGRES ? 0 : 1000;
const machine = useMachine();
const boot = (endpoint: Endpoint): World => machine().boot(endpoint);
const idsOf = (calls: readonly Call[]): (string | null)[] =>
  calls.map((call) => call.headers.get(HEADER.messageId));

describe("an engine that died", () => {
  it("between a delivery and its result delivers again, with the same id and as the same attempt", async () => {
    const before = boot(never);
    await before.start("wfr_1");
    await until(() => before.calls.length === 1);
    await crash(before);
    const after = boot(sequence(1));
    await after.drain();
    expect(idsOf(after.calls)[0]).toBe(idsOf(before.calls)[0]);
    expect(after.calls[0]?.headers.get(HEADER.retried)).toBe("0");
    expect((await after.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
    await crash(after);
  });

  it("after a step was recorded, but before its delivery was settled, doesn't record it twice", async () => {
    const before = boot(async (call, self) => {
      await self.append(runIdOf(call), [result(1, { out: '"first"' })], { [HEADER.delay]: "1h" });
      return never();
    });
    await before.start("wfr_1");
    await until(() => before.events.some((event) => event.type === "step.recorded"));
    await crash(before);
    const after = boot(async (call, self) => {
      if (historyOf(call).length === 1) await self.append(runIdOf(call), [result(1, { out: '"second"' })]);
      else await self.end(runIdOf(call));
      return ok();
    });
    await after.drain();
    const run = await after.run("wfr_1");
    expect(run.steps).toMatchObject([{}, { steps: [{ out: '"first"' }] }]);
    expect(run.workflowState).toBe("RUN_SUCCESS");
    expect(after.calls.map((call) => call.at - START)).toEqual([GRACE, 3_600_000]);
    await crash(after);
  });

  it.skipIf(ON_POSTGRES)(
    "leaves endpoints that are still at work a second to record their steps",
    async () => {
      const before = boot(never);
      await before.start("wfr_1");
      await before.ask("POST", "/v2/publish/https://a.test/plain");
      await until(() => before.calls.length === 2);
      await crash(before);
      const after = boot(async (call, self) => {
        if (historyOf(call).length === 2) await self.end(runIdOf(call));
        return ok();
      });
      await after.ask("POST", "/v2/publish/https://a.test/new");
      await after.engine.idle();
      // What the crash has cut off waits; nothing else does.
      expect(after.calls.map(({ url }) => url)).toEqual(["https://a.test/new"]);
      await after.append("wfr_1", [result(1, { out: '"recorded meanwhile"' })]);
      await after.engine.idle();
      expect(historyOf(after.calls[1] as Call)).toHaveLength(2);
      expect(await after.run("wfr_1")).toMatchObject({ workflowState: "RUN_SUCCESS" });
      machine().clock.advance(999);
      await after.engine.idle();
      expect(after.calls).toHaveLength(2);
      machine().clock.advance(1);
      await after.engine.idle();
      expect(after.calls.slice(2).map(({ url, at }) => [url, at - START])).toEqual([
        ["https://a.test/plain", 1000],
      ]);
      await crash(after);
    },
  );

  it("with more under way than may be at once now takes it up bit by bit", async () => {
    const before = boot(never);
    const urls = Array.from({ length: 10 }, (_, at) => `https://a.test/${at}`);
    await Promise.all(urls.map((url) => before.ask("POST", `/v2/publish/${url}`)));
    await until(() => before.calls.length === 10);
    await crash(before);
    const after = world(() => new Response(), {
      file: machine().file,
      clock: machine().clock,
      concurrency: 2,
    });
    await after.drain();
    expect(after.calls.map((call) => call.url).sort()).toEqual(urls);
    await crash(after);
  });

  it("in the middle of retries goes on with the same count and the same wait", async () => {
    const before = boot(() => failed(500, "x"));
    await before.start("wfr_1", { [HEADER.retryDelay]: "60000" });
    await before.engine.idle();
    await crash(before);
    machine().clock.advance(10_000);
    const after = boot((call) => (isFailure(call) ? ok() : failed(500, "x")));
    await after.drain();
    expect(after.calls.map((call) => [call.at - START, call.headers.get(HEADER.retried)])).toEqual([
      [60_000, "1"],
      [120_000, "2"],
      [180_000, "3"],
      [180_000, "0"],
    ]);
    await crash(after);
  });

  it("between a failure and its report makes the report, once", async () => {
    const before = boot((call) => (isFailure(call) ? never() : failed(500, "boom")));
    await before.start("wfr_1", { [HEADER.retries]: "0" });
    await until(() => before.calls.length === 2);
    await crash(before);
    const after = boot(() => ok('{"result":"done"}'));
    await after.drain();
    expect(after.calls).toHaveLength(1);
    expect(idsOf(after.calls)[0]).toBe(idsOf(before.calls)[1]);
    expect(after.calls[0]?.text).toBe(before.calls[1]?.text);
    expect(await after.run("wfr_1")).toMatchObject({
      workflowState: "RUN_FAILED",
      failureFunction: { state: "CALLBACK_SUCCESS" },
    });
    expect(await after.deadLetters()).toHaveLength(1);
    await crash(after);
  });

  it("with things that sleep wakes them on time, or at once when that has passed", async () => {
    const before = boot(never);
    await before.ask("POST", "/v2/publish/https://a.test/soon", { headers: { [HEADER.delay]: "10s" } });
    await before.ask("POST", "/v2/publish/https://a.test/late", { headers: { [HEADER.delay]: "1d" } });
    await before.engine.idle();
    await crash(before);
    machine().clock.advance(3_600_000);
    const after = boot(() => new Response());
    await after.drain();
    expect(after.calls.map((call) => [call.url.slice(-4), call.at - START])).toEqual([
      ["soon", 3_600_000],
      ["late", 86_400_000],
    ]);
    await crash(after);
  });
});

describe.skipIf(ON_POSTGRES)("a database", () => {
  it("that is in use can't be opened a second time", async () => {
    const { file } = machine();
    const first = openSqlite(file);
    expect(() => openSqlite(file)).toThrow(
      new StoreUnavailable(`The database ${file} is in use by another process.`),
    );
    await first.close();
    await openSqlite(file).close();
  });

  it("of a newer engine is left alone", async () => {
    const { file } = machine();
    const db = new Database(file);
    await db.run(sql`PRAGMA user_version = 99`);
    await db.close();
    expect(() => openSqlite(file)).toThrow("was written by a newer version of the engine (schema 99;");
  });
});
