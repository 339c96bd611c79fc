import { Client as QStashClient } from "@upstash/qstash";
import { describe, expect, it, vi } from "vitest";
import { Client, type GivenClient, serve } from "../src/index.ts";
import { useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
const url = "https://app.example.com/wf";
const receipts = (messages: readonly object[]) => messages.map((_, at) => ({ messageId: `m${at}` }));
const official = () => new QStashClient({ baseUrl: recorder().url, token: "t", devMode: false });

describe("a client of @upstash/qstash whose methods a test has replaced", () => {
  it("hands what is triggered to its batch, and sends nothing", async () => {
    const given = official();
    const batch = vi.fn(async (messages: readonly object[]) => receipts(messages));
    Object.assign(given, { batch });
    const runs = await new Client(given).trigger([{ url, body: { id: 1 }, workflowRunId: "a" }, { url }]);
    expect(runs[0]).toEqual({ workflowRunId: "wfr_a", deduplicated: false });
    expect(batch.mock.calls).toHaveLength(1);
    expect(batch.mock.calls[0]?.[0]).toMatchObject([
      { url, method: "POST", body: '{"id":1}', headers: { "upstash-workflow-runid": "wfr_a" } },
      { url },
    ]);
    expect(recorder().requests).toEqual([]);
  });

  it("hands each message to its publish, where that is the one", async () => {
    const given = official();
    const publish = vi.fn(async () => ({ messageId: "m" }));
    Object.assign(given, { publish });
    await new Client(given).trigger([{ url }, { url }]);
    expect(publish).toHaveBeenCalledTimes(2);
    expect(publish).toHaveBeenLastCalledWith(expect.objectContaining({ url, method: "POST" }));
  });

  it("still makes its other requests, and those of a method that is only watched", async () => {
    const given = official();
    vi.spyOn(given, "batch");
    await new Client(given).trigger({ url, workflowRunId: "a" });
    expect(given.batch).toHaveBeenCalledTimes(1);
    expect(recorder().published).toMatchObject([
      { destination: url, headers: { "upstash-workflow-runid": "wfr_a" } },
    ]);
    recorder().answer = () => ({ body: [] });
    expect(await new Client(given).getWaiters({ eventId: "e" })).toEqual([]);
  });

  it("may be nothing but a batch; what else is asked of it, says what is missing", async () => {
    const given = { batch: async (messages: object[]) => receipts(messages) } as unknown as GivenClient;
    expect(await new Client(given).trigger({ url, workflowRunId: "a" })).toMatchObject({
      workflowRunId: "wfr_a",
    });
    await expect(new Client(given).getWaiters({ eventId: "e" })).rejects.toThrow(
      /no http\.request.*GET v2\/waiters/,
    );
  });

  it("starts the runs of an endpoint, too", async () => {
    const batch = vi.fn(async (messages: readonly object[]) => receipts(messages));
    const { handler } = serve((context) => context.run("one", () => 1), {
      qstashClient: Object.assign(official(), { batch }),
      verify: "off",
    });
    expect((await handler(new Request(url, { method: "POST", body: "{}" }))).status).toBe(200);
    expect(batch).toHaveBeenCalledTimes(1);
  });

  it.each([
    ["nothing", () => undefined, 2],
    ["no receipts", () => [], 2],
    ["one too few", () => [{ messageId: "m" }], 1],
  ])("that gives %s says so", async (_, answer, missing) => {
    const given = Object.assign(official(), { batch: async () => answer() });
    await expect(new Client(given).trigger([{ url }, { url }])).rejects.toMatchObject({
      code: "engine_refused",
      message: expect.stringContaining(
        `The engine refused ${missing} of 2 runs: The engine refuses the message for ${url}: the answer has no { messageId }`,
      ),
    });
  });

  it("that throws says so without an address that it lacks", async () => {
    const batch = async () => {
      throw new Error("out of paper");
    };
    const stub = { batch } as unknown as GivenClient;
    await expect(new Client(stub).trigger({ url })).rejects.toThrow(
      "The engine at an unknown URL can't be reached for POST /v2/batch: out of paper",
    );
  });
});
