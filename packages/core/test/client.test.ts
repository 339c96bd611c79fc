import { Client as QStashClient } from "@upstash/qstash";
import { describe, expect, it } from "vitest";
import { Client, type TriggerOptions } from "../src/index.ts";
import { useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
const client = () => new Client({ baseUrl: recorder().url, token: "token" });
const url = "https://app.example.com/wf";

describe("trigger", () => {
  it("starts a run and tells its id", async () => {
    const { workflowRunId, deduplicated } = await client().trigger({
      url,
      body: { a: 1 },
      headers: { "X-User": "u" },
    });
    expect(workflowRunId).toMatch(/^wfr_.{21}$/);
    expect(deduplicated).toBe(false);
    expect(recorder().requests).toMatchObject([
      { method: "POST", path: "/v2/batch", headers: { authorization: "Bearer token" } },
    ]);
    expect(recorder().published).toMatchObject([
      {
        destination: url,
        body: '{"a":1}',
        headers: { "upstash-workflow-runid": workflowRunId, "upstash-forward-x-user": "u" },
      },
    ]);
  });

  it("starts many with one request, in their order", async () => {
    const results = await client().trigger([
      { url, workflowRunId: "a" },
      { url, workflowRunId: "b", retries: 1 },
    ]);
    expect(results).toEqual([
      { workflowRunId: "wfr_a", deduplicated: false },
      { workflowRunId: "wfr_b", deduplicated: false },
    ]);
    expect(recorder().requests).toHaveLength(1);
    expect(recorder().published.map(({ headers }) => headers["upstash-retries"])).toEqual([undefined, "1"]);
    expect(await client().trigger([])).toEqual([]);
    expect(recorder().requests).toHaveLength(1);
  });

  it("tells when the run was live already", async () => {
    recorder().answer = () => ({ body: [{ messageId: "m", deduplicated: true }] });
    expect(await client().trigger({ url, workflowRunId: "a" })).toEqual({
      workflowRunId: "wfr_a",
      deduplicated: true,
    });
  });

  it.each([
    ["a text as it is", "raw", "raw"],
    ["everything else as JSON", [1], "[1]"],
    ["nothing as nothing", undefined, undefined],
  ])("sends %s", async (_name, body, sent) => {
    await client().trigger({ url, body });
    expect(recorder().published[0]?.body).toBe(sent);
  });

  it("takes what used to be switches", async () => {
    await client().trigger({ url, useFailureFunction: true, keepTriggerConfig: true });
    expect(recorder().published[0]?.headers["upstash-failure-callback"]).toBe(url);
  });

  it.each<[string, object]>([
    ["a URL without scheme", { url: "app.example.com/wf" }],
    ["no URL", {}],
    ["an empty run id", { url, workflowRunId: "" }],
    ["a run id with a comma", { url, workflowRunId: "a,b" }],
    ["a run id with a blank", { url, workflowRunId: "a b" }],
    ["a run id with a letter beyond ASCII", { url, workflowRunId: "ž" }],
    ["a run id that is too long", { url, workflowRunId: "a".repeat(509) }],
    ["a bad label", { url, label: "a b" }],
    ["a switch set to false", { url, useFailureFunction: false }],
    ["bad retries", { url, retries: -1 }],
  ])("refuses %s before anything is sent", async (_name, options) => {
    await expect(client().trigger(options as TriggerOptions)).rejects.toThrow(TypeError);
    await expect(client().trigger([{ url }, options as TriggerOptions])).rejects.toThrow(TypeError);
    expect(recorder().requests).toEqual([]);
  });

  it("refuses a payload that JSON can't carry", async () => {
    await expect(client().trigger({ url, body: 1n })).rejects.toMatchObject({ code: "not_serializable" });
  });

  it("says which of many the engine refused, and what became of the others", async () => {
    recorder().answer = () => ({ body: [{ messageId: "m" }, { error: "no such host" }] });
    await expect(
      client().trigger([
        { url, workflowRunId: "a" },
        { url, workflowRunId: "b" },
      ]),
    ).rejects.toMatchObject({
      code: "engine_refused",
      message: expect.stringMatching(/1 of 2 runs.*no such host/),
      cause: [{ workflowRunId: "wfr_a", deduplicated: false }, { code: "engine_refused" }],
    });
  });

  it.each([
    [401, "engine_refused"],
    [412, "quota_exceeded"],
    [500, "engine_refused"],
  ])("says what the engine answered: %d", async (status, code) => {
    recorder().answer = () => ({ status, body: { error: "because" } });
    await expect(client().trigger({ url })).rejects.toMatchObject({
      code,
      message: expect.stringContaining("because"),
    });
  });

  it("says when there is no engine", async () => {
    const lonely = new Client({ baseUrl: "http://127.0.0.1:1", token: "t", retry: false });
    await expect(lonely.trigger({ url })).rejects.toMatchObject({ code: "engine_unreachable" });
  });
});

describe("a client", () => {
  it("can be made from one of @upstash/qstash", async () => {
    const given = new QStashClient({ baseUrl: recorder().url, token: "other", devMode: false });
    await new Client(given).trigger({ url });
    expect(recorder().requests[0]?.headers.authorization).toBe("Bearer other");
  });
});
