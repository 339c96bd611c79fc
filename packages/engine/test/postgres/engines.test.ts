import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { APP, type Endpoint, ok, result, runIdOf, START, type World } from "../harness.ts";
import { type Engines, startEngines } from "./engines.ts";

const MINUTE = 60_000;

/** An endpoint that answers in a moment, and knows how many deliveries were under way at once. */
function busy(moment = 3) {
  let now = 0;
  const seen = {
    most: 0,
    endpoint: async () => {
      seen.most = Math.max(seen.most, ++now);
      await new Promise((resolve) => setTimeout(resolve, moment));
      now--;
      return ok();
    },
  };
  return seen;
}

/** Asks the engines in turn to publish, all at once. @returns the ids of the messages */
async function publish(
  engines: Engines,
  count: number,
  {
    headers = {},
    path = (at: number) => `/v2/publish/https://a.test/${at}`,
  }: {
    readonly headers?: Record<string, string>;
    readonly path?: (at: number) => string;
  } = {},
): Promise<string[]> {
  const answers = Array.from({ length: count }, (_, at) => engines.next().ask("POST", path(at), { headers }));
  return (await Promise.all(answers)).map(({ status, body }) => {
    expect({ status, body }).toMatchObject({ status: 200 });
    return body.messageId;
  });
}

const isEnd = (state: string): boolean => ["DELIVERED", "FAILED", "CANCELLED"].includes(state);

const idsOf = (engines: Engines): string[] =>
  engines.calls.map(({ headers }) => String(headers.get(HEADER.messageId)));

const numbersOf = (engines: Engines): number[] =>
  engines.calls.map(({ url }) => Number(url.split("/").at(-1)));

describe("several engines on one database", () => {
  it("deliver each message once, and share the work", async () => {
    const working = new Set<World>();
    let allWork = (): void => {};
    const together = new Promise<void>((resolve) => (allWork = resolve));
    // An engine that has its hands full leaves the rest to the others.
    const endpoint: Endpoint = async (_, engine) => {
      if (working.add(engine).size === 3) allWork();
      await together;
      return ok();
    };
    const engines = await startEngines(3, endpoint, { concurrency: 50 });
    const ids = await publish(engines, 300);
    await together;
    await engines.settled();
    expect(idsOf(engines).sort()).toEqual(ids.sort());
  });

  it("keep the parallelism of a flow control key together", async () => {
    const work = busy();
    const engines = await startEngines(2, work.endpoint);
    const flow = { [HEADER.flowControlKey]: "k", [HEADER.flowControlValue]: "parallelism=3" };
    const ids = await publish(engines, 60, { headers: flow });
    await engines.settled();
    await expect.poll(() => engines.calls.length).toBe(60);
    await engines.settled();
    expect(idsOf(engines).sort()).toEqual(ids.sort());
    expect(work.most).toBe(3);
    const { body } = await engines.next().ask("GET", "/v2/flowControl/k");
    expect(body).toMatchObject({ parallelismCount: 0, waitListSize: 0 });
  });

  it("keep the rate of a flow control key together: so many in a period, and never more", async () => {
    const engines = await startEngines(2);
    const flow = { [HEADER.flowControlKey]: "k", [HEADER.flowControlValue]: "rate=7,period=1m" };
    const ids = await publish(engines, 40, { headers: flow });
    await engines.drain();
    expect(idsOf(engines).sort()).toEqual(ids.sort());
    const inPeriods = [0, 1, 2, 3, 4, 5].map(
      (period) => engines.calls.filter(({ at }) => at - START === period * MINUTE).length,
    );
    expect(inPeriods).toEqual([7, 7, 7, 7, 7, 5]);
  });

  it("keep the order of a queue, one at a time", async () => {
    const work = busy(1);
    const engines = await startEngines(2, work.endpoint);
    for (let at = 0; at < 40; at++) await engines.next().ask("POST", `/v2/enqueue/q/https://a.test/${at}`);
    await expect.poll(() => engines.calls.length).toBe(40);
    await engines.settled();
    expect(numbersOf(engines)).toEqual(Array.from({ length: 40 }, (_, at) => at));
    expect(work.most).toBe(1);
  });

  it("keep the parallelism of a queue, and begin its messages in their order", async () => {
    const work = busy();
    const engines = await startEngines(2, work.endpoint);
    await engines
      .next()
      .ask("POST", "/v2/queues", { body: JSON.stringify({ queueName: "q", parallelism: 4 }) });
    for (let at = 0; at < 60; at++) await engines.next().ask("POST", `/v2/enqueue/q/https://a.test/${at}`);
    await expect.poll(() => engines.calls.length).toBe(60);
    await engines.settled();
    expect([...numbersOf(engines)].sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, at) => at));
    expect(work.most).toBe(4);
    // A message gets its place when those before it have theirs, so it overtakes only the three others that have one.
    for (const [at, number] of numbersOf(engines).entries()) expect(number - at).toBeLessThan(4);
  });

  it("make the message of each tick of a schedule once", async () => {
    const engines = await startEngines(2);
    for (let at = 0; at < 6; at++) {
      const headers = { [HEADER.cron]: "* * * * *", [HEADER.scheduleId]: `s${at}` };
      const { status } = await engines.next().ask("POST", `/v2/schedules/https://a.test/${at}`, { headers });
      expect(status).toBe(200);
    }
    for (let minute = 0; minute < 15; minute++) {
      engines.clock.advance(MINUTE);
      await engines.settled();
    }
    const ticks = engines.calls.map(({ url, at }) => `${url} ${(at - START) / MINUTE}`);
    expect(ticks).toHaveLength(6 * 15);
    expect(new Set(ticks).size).toBe(6 * 15);
  });

  it("take one message for the others with its deduplication id", async () => {
    const engines = await startEngines(2);
    const asked = Array.from({ length: 160 }, (_, at) =>
      engines.next().ask("POST", "/v2/publish/https://a.test/", {
        headers: { [HEADER.deduplicationId]: `d${Math.floor(at / 4)}` },
      }),
    );
    const ids = (await Promise.all(asked)).map(({ body }) => body.messageId);
    await engines.settled();
    expect(new Set(ids).size).toBe(40);
    for (let at = 0; at < 160; at += 4) expect(new Set(ids.slice(at, at + 4)).size).toBe(1);
    expect(idsOf(engines).sort()).toEqual([...new Set(ids)].sort());
  });

  it("start one run for a trigger that comes several times, and one run of an id", async () => {
    const engines = await startEngines(2, async (call, self) => {
      await self.end(runIdOf(call));
      return ok();
    });
    const started = await Promise.all(
      Array.from({ length: 80 }, async (_, at) => {
        const headers = { "Perdure-Trigger-Id": `t${Math.floor(at / 4)}` };
        return (await engines.next().start(`wfr_${Math.floor(at / 4)}`, headers)).body[0];
      }),
    );
    await engines.settled();
    expect(new Set(started.map(({ messageId }) => messageId)).size).toBe(20);
    expect(started.filter(({ deduplicated }) => !deduplicated)).toHaveLength(20);
    expect(engines.calls).toHaveLength(20);
    for (let at = 0; at < 20; at++)
      expect(await engines.next().run(`wfr_${at}`)).toMatchObject({ workflowState: "RUN_SUCCESS" });
  });

  it("give the records of a run that come to several engines one order without gaps", async () => {
    const engines = await startEngines(2, () => new Promise<Response>(() => {}));
    await engines.next().start("wfr_1");
    const answers = await Promise.all(
      // Each record twice.
      Array.from({ length: 60 }, (_, at) => engines.next().append("wfr_1", [result(1 + (at % 30))])),
    );
    expect(answers.flatMap(({ body }) => body).filter(({ deduplicated }) => !deduplicated)).toHaveLength(30);
    const history = (await engines.all[0]?.store.history("wfr_1")) ?? [];
    expect(history).toHaveLength(31);
    expect(new Set(history.map(({ messageId }) => messageId)).size).toBe(31);
  });

  it("deliver an event that is notified twice at once to each wait once", async () => {
    const engines = await startEngines(2, () => new Promise<Response>(() => {}));
    for (let at = 0; at < 20; at++) {
      await engines.next().start(`wfr_${at}`);
      const step = { stepId: 1, stepName: "w", stepType: "Wait", concurrent: 1 };
      await engines.next().ask("POST", `/v2/wait/e${at}`, {
        headers: { [HEADER.runId]: `wfr_${at}` },
        body: JSON.stringify({ url: APP, timeout: "1h", step }),
      });
    }
    const notified = await Promise.all(
      Array.from({ length: 40 }, (_, at) =>
        engines.next().ask("POST", `/v2/notify/e${Math.floor(at / 2)}`, { body: "data" }),
      ),
    );
    expect(notified.flatMap(({ body }) => body)).toHaveLength(20);
  });

  it("end each message once, whoever cancels it while it is being delivered", async () => {
    const work = busy(1);
    const engines = await startEngines(2, work.endpoint);
    const headers = { [HEADER.callback]: "https://report.test/", [HEADER.retries]: "0" };
    const ids = await publish(engines, 120, { headers });
    const cancelled = await Promise.all(
      ids.map(async (id) => (await engines.next().ask("DELETE", `/v2/messages/${id}`)).status < 300),
    );
    await engines.settled();
    const reports = engines.calls.filter(({ url }) => url.startsWith("https://report"));
    const reported = new Set(reports.map((call) => JSON.parse(call.text).sourceMessageId));
    const ends = await Promise.all(
      ids.map(async (id) => {
        const { items } = await engines.next().store.logs({ messageIds: [id], count: 20 });
        return items.map(({ state }) => state).filter((state) => isEnd(state));
      }),
    );
    for (const [at, id] of ids.entries()) {
      expect({ id, ends: ends[at], reported: reported.has(id) }).toEqual(
        cancelled[at]
          ? { id, ends: ["CANCELLED"], reported: false }
          : { id, ends: ["DELIVERED"], reported: true },
      );
    }
  });
});
