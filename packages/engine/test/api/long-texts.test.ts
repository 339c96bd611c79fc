import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { attemptKey } from "../../src/rules/step-attempt.ts";
import { isFailure, ok, world } from "../harness.ts";
import { appendTo, done, inline, key, newsOf, waits } from "../inline/invocation.ts";
import { createdWebhook, waitStep, workflow } from "../steps.ts";

// A database compresses what repeats itself, and an index takes more of it then.
let state = 1;
const random = (most: number): number => {
  state = (state * 48_271) % 0x7fffffff;
  return state % most;
};
const textOf = (alphabet: (at: number) => string, length: number): string =>
  Array.from({ length }, () => alphabet(random(20_000))).join("");

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
const ascii = (length: number): string => textOf((at) => LETTERS.charAt(at % LETTERS.length), length);
/** Three bytes a character. */
const chinese = (length: number): string => textOf((at) => String.fromCodePoint(0x4e00 + at), length);

const LONGEST = chinese(682);
const TOO_LONG = chinese(683);
const FAULT = "expected 2048 bytes of UTF-8 at most, got 2049";

describe("an event's id has 2048 bytes at most", () => {
  it("with so many, a run waits for it, and gets it", async () => {
    const w = world(workflow(waitStep(LONGEST)));
    await w.start("wfr_1");
    await w.engine.idle();
    const path = encodeURIComponent(LONGEST);
    expect((await w.ask("GET", `/v2/waiters/${path}`)).body).toHaveLength(1);
    expect((await w.ask("POST", `/v2/notify/${path}`)).body).toHaveLength(1);
    await w.engine.idle();
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  });

  it("an event that comes before the wait is kept", async () => {
    const w = world(
      workflow(({ self, runId }) => self.append(runId, [createdWebhook(1, LONGEST)]), waitStep(LONGEST)),
    );
    await w.start("wfr_1", {}, "");
    await w.engine.idle();
    await w.ask("POST", `/v2/notify/wfr_1/${encodeURIComponent(LONGEST)}`);
    await w.engine.idle();
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  });

  it("with more, each request is answered with 400", async () => {
    const answers: number[] = [];
    const w = world(
      workflow(async (at) => {
        const { status, body } = (await waitStep(TOO_LONG)(at)) as {
          status: number;
          body: { error: string };
        };
        expect(body.error).toContain(FAULT);
        answers.push(status);
      }),
    );
    await w.start("wfr_1");
    await w.engine.idle();
    for (const [method, path] of [
      ["POST", `/v2/notify/${encodeURIComponent(TOO_LONG)}`],
      ["POST", `/v2/notify/wfr_1/${encodeURIComponent(TOO_LONG)}`],
      ["GET", `/v2/waiters/${encodeURIComponent(TOO_LONG)}`],
    ] as const) {
      const { status, body } = await w.ask(method, path);
      expect(body.error).toContain(FAULT);
      answers.push(status);
    }
    expect(answers).toEqual([400, 400, 400, 400]);
  });

  it("with more, an append of the wait is refused, and a webhook has no address", async () => {
    const w = world(
      inline(async (run) => {
        const said = await appendTo(run.self, {
          lease: run.lease,
          after: run.after,
          records: [waits(run.runId, 1, TOO_LONG)],
          underWay: [],
        });
        expect(said).toMatchObject({ error: "refused", message: expect.stringContaining(FAULT) });
        const { out = "" } = createdWebhook(1, TOO_LONG);
        newsOf(
          await appendTo(run.self, {
            lease: run.lease,
            after: run.after,
            records: [done(1, { stepType: "CreateWebhook", out })],
            underWay: [],
          }),
        );
        return run.returned("done");
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  });
});

describe("what a client names may be as long as it says", () => {
  it("a message's URL, queue, key, labels and deduplication", async () => {
    const url = `https://a.test/${ascii(8000)}`;
    const w = world();
    const queue = ascii(256);
    const headers = {
      [HEADER.flowControlKey]: ascii(256),
      [HEADER.flowControlValue]: "parallelism=1",
      [HEADER.label]: `${ascii(256)},${ascii(256)}`,
    };
    const published = async (more: Record<string, string>): Promise<unknown[]> => {
      const answers = [1, 2].map(() =>
        w.ask("POST", `/v2/enqueue/${queue}/${url}`, { headers: { ...headers, ...more } }),
      );
      // Which of the two comes first is open.
      const seen = (await Promise.all(answers)).map(({ status, body }) => [
        status,
        body.deduplicated === true,
      ]);
      return seen.sort();
    };
    expect(await published({ [HEADER.deduplicationId]: ascii(1024) })).toEqual([
      [200, false],
      [202, true],
    ]);
    const content = { [HEADER.contentBasedDeduplication]: "true", "Upstash-Forward-X-Long": ascii(8000) };
    expect(await published(content)).toEqual([
      [200, false],
      [202, true],
    ]);
    await w.drain();
    expect(w.calls.map((call) => call.url)).toEqual([url, url]);
    const label = headers[HEADER.label]?.split(",")[1];
    expect((await w.ask("GET", `/v2/logs?label=${label}&state=DELIVERED`)).body.logs).toHaveLength(2);
  });

  it("a schedule, a URL group and a run", async () => {
    const w = world(() => ok());
    const [group, schedule] = [ascii(256), ascii(256)];
    const endpoints = [{ url: `https://a.test/${ascii(8000)}`, name: ascii(256) }];
    const body = JSON.stringify({ endpoints });
    expect((await w.ask("POST", `/v2/topics/${group}/endpoints`, { body })).status).toBe(200);
    const headers = { [HEADER.cron]: "* * * * *", [HEADER.scheduleId]: schedule };
    expect((await w.ask("POST", `/v2/schedules/${group}`, { headers })).body).toEqual({
      scheduleId: schedule,
    });
    w.clock.advance(60_000);
    await w.engine.idle();
    expect(w.calls).toHaveLength(1);
    const runId = `wfr_${ascii(508)}`;
    expect((await w.start(runId)).status).toBe(200);
    expect((await w.run(runId)).workflowRunId).toBe(runId);
  });

  it.each<[string, (name: string) => ReturnType<typeof inline>]>([
    [
      "in an append",
      (name) =>
        inline(async (run) => {
          const made = run.attempts.length + 1;
          await run.append([
            {
              kind: "attempt",
              step: key(name),
              attempt: made,
              error: { error: "E", message: "m" },
              ...(made === 2 ? { final: true } : {}),
            },
          ]);
          return made === 2 ? run.returned("done", done(1, { stepName: name })) : run.park();
        }),
    ],
    [
      "in the answer to a delivery",
      (name) =>
        inline((run) =>
          run.attempts.length < 2
            ? run.failed(key(name), { headers: { [HEADER.errorStepName]: "encoded" } })
            : run.returned("done", done(1, { stepName: name })),
        ),
    ],
  ])("a step that fails, %s", async (_where, script) => {
    const name = chinese(5000);
    const w = world(script(name));
    await w.start("wfr_1", { [HEADER.retries]: "3", [HEADER.retryDelay]: "1000" });
    await w.drain();
    const run = await w.run("wfr_1");
    expect(run.workflowState).toBe("RUN_SUCCESS");
    expect(JSON.stringify(run.steps)).toContain(name);
    expect(w.calls.filter((call) => !isFailure(call)).length).toBeGreaterThan(1);
  });
});

it("attempts of steps whose long names begin alike have keys of their own", () => {
  const long = chinese(5000);
  const names = [long, `${long}a`, `${long}b`, `${long.slice(0, -1)}a`];
  expect(new Set(names.map((name) => attemptKey(key(name), 1))).size).toBe(names.length);
});

it("a host's name has 253 characters at most, as in DNS", async () => {
  const w = world();
  const host =
    `${Array.from({ length: 4 }, () => ascii(60).replaceAll(/[^a-z]/g, "a")).join(".")}.test`.padStart(
      253,
      "a",
    );
  expect((await w.ask("POST", `/v2/publish/https://${host}:8080/`)).status).toBe(200);
  const { status, body } = await w.ask("POST", `/v2/publish/https://a${host}/`);
  expect([status, body.error]).toEqual([400, expect.stringContaining("longer than 253 characters")]);
  await w.drain();
  expect(w.calls.map(({ url }) => url)).toEqual([`https://${host}:8080/`]);
});
