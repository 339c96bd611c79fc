import {
  base64,
  entries,
  failureBody,
  failureHeaders,
  history,
  RUN,
  runHeaders,
} from "@perdure/test-support/delivery";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CONNECTION_HEADERS,
  classify,
  cutAfter,
  DEV_CREDENTIALS,
  HEADER,
  isMessageRunId,
  isRunId,
  kindOf,
  LOWERCASE_HEADER,
  LOWERCASE_PREFIX,
  newMessageId,
  newScheduleId,
  PREFIX,
  parseFailure,
  parseHistory,
  parseStep,
  randomId,
  readHistory,
  type StepRecord,
  startMessage,
  toRunId,
  userIdIn,
} from "../src/protocol/index.ts";
import { readStepHistory } from "../src/replay/step-history.ts";

const result = (stepId: number, concurrent = 1, stepName = `s${stepId}`): StepRecord => ({
  stepId,
  stepName,
  stepType: "Run",
  concurrent,
});
const plan = (targetStep: number, concurrent: number): StepRecord => ({
  ...result(0, concurrent, `s${targetStep}`),
  targetStep,
});

describe("header names", () => {
  it("stand once each", () => {
    const names = Object.values(HEADER).map((name) => name.toLowerCase());
    expect(new Set(names).size).toBe(names.length);
  });

  it("have a form in lower case each, as prefixes do", () => {
    expect(Object.keys(LOWERCASE_HEADER)).toEqual(Object.keys(HEADER));
    expect(LOWERCASE_HEADER.runId).toBe("upstash-workflow-runid");
    expect(Object.keys(LOWERCASE_PREFIX)).toEqual(Object.keys(PREFIX));
    expect(LOWERCASE_PREFIX.forward).toBe("upstash-forward-");
  });

  it("of a connection are in lower case", () => {
    expect(CONNECTION_HEADERS).toEqual(expect.arrayContaining(["connection", "te", "transfer-encoding"]));
    expect(CONNECTION_HEADERS.map((name) => name.toLowerCase())).toEqual(CONNECTION_HEADERS);
  });
});

describe("ids", () => {
  it("say what they name", () => {
    expect(newMessageId()).toMatch(/^msg_[\w-]{21}$/);
    expect(newScheduleId()).toMatch(/^scd_[\w-]{21}$/);
    expect([toRunId(), toRunId("order-7"), newMessageId(), "order-7"].map(isRunId)).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect([toRunId(newMessageId()), toRunId("order-7"), newMessageId()].map(isMessageRunId)).toEqual([
      true,
      false,
      false,
    ]);
  });

  it.each([1, 21, 64])("have the length that is asked for: %i", (length) => {
    expect(randomId(length)).toMatch(new RegExp(`^[\\w-]{${length}}$`));
  });
});

describe("a token's user", () => {
  it.each([
    [DEV_CREDENTIALS.token, "defaultUser"],
    [btoa(JSON.stringify({ UserID: "ann" })), "ann"],
    [btoa(JSON.stringify({ UserID: 1 })), undefined],
    [btoa("null"), undefined],
    ["secret", undefined],
    ["", undefined],
  ])("of %s is %s", (token, user) => {
    expect(userIdIn(token)).toBe(user);
  });
});

describe("classification", () => {
  it.each([
    ["start", {}],
    ["start", { "Upstash-Workflow-RunId": "wfr_forged" }],
    ["start", runHeaders({ "Upstash-Workflow-Unknown-Sdk": "true" })],
    ["resume", runHeaders()],
    ["failure", failureHeaders()],
    ["failure", { ...runHeaders(), ...failureHeaders() }],
    ["failure", runHeaders({ "Upstash-Workflow-Failure-Callback": "true" })],
    ["callResult", { "Upstash-Workflow-RunId": "r", "Upstash-Workflow-Callback": "true" }],
  ])("sees %s", (kind, headers: Record<string, string>) => {
    expect(kindOf(new Headers(headers))).toBe(kind);
    expect(classify(new Headers(headers)).kind).toBe(kind);
  });

  it("reads a run's properties", () => {
    const headers = runHeaders({ "Upstash-Retried": "2", "Upstash-Label": "a, b" });
    expect(classify(new Headers(headers))).toEqual({
      kind: "resume",
      runId: "wfr_test",
      messageId: "msg_last",
      ownEngine: false,
      retried: 2,
      createdAt: 1_700_000_000_000,
      labels: ["a", "b"],
      invokeCount: 0,
      lease: undefined,
      engineTime: 0,
      originalRunId: "wfr_test",
    });
    const resumed = runHeaders({ "Perdure-Lease": "token", "Perdure-Original-Run": "wfr_first" });
    expect(classify(new Headers(resumed))).toMatchObject({ lease: "token", originalRunId: "wfr_first" });
  });

  it.each([
    ["start", {}],
    ["resume", runHeaders()],
    ["callResult", { "Upstash-Workflow-RunId": "r", "Upstash-Workflow-Callback": "true" }],
    ["failure", failureHeaders()],
    ["cancel", { "Upstash-Workflow-RunId": "r", "Upstash-Workflow-CallType": "cancelCall" }],
  ])(
    "recognises Perdure's own engine in a %s by its number of retries",
    (kind, headers: Record<string, string>) => {
      expect(classify(new Headers(headers))).toMatchObject({ kind, ownEngine: false });
      const own = { ...headers, "Perdure-Max-Retries": "3; default" };
      expect(classify(new Headers(own))).toMatchObject({ kind, ownEngine: true });
    },
  );

  it("needs the run's id and its own version", () => {
    expect(() => classify(new Headers({ "Upstash-Workflow-Sdk-Version": "1" }))).toThrow(
      /needs the header Upstash-Workflow-RunId/,
    );
    expect(() => classify(new Headers(runHeaders({ "Upstash-Workflow-Sdk-Version": "2" })))).toThrow(
      /Sdk-Version is "2"/,
    );
  });
});

describe("history", () => {
  it("is read oldest first, the payload apart", () => {
    const read = readHistory(parseHistory(history({ é: "✓" }, [result(1), result(2)])));
    expect(read).toEqual({
      payload: '{"é":"✓"}',
      records: [result(1), result(2)],
      duplicate: false,
      attempts: [],
    });
  });

  it("leaves out what isn't a step", () => {
    const [first, ...rest] = entries("{}", [result(1)]);
    const call = { messageId: "m", body: base64("not a step"), callType: "toCallback" as const };
    expect(readHistory([first as never, call, ...rest]).records).toEqual([result(1)]);
  });

  it("keeps the first of two records and tells when the delivered one is the second", () => {
    const again = { ...result(1), out: '"other"' };
    expect(readHistory(entries("", [result(1), again, result(2)]))).toMatchObject({
      records: [result(1), result(2)],
      duplicate: false,
    });
    expect(readHistory(entries("", [result(1), again]))).toMatchObject({
      records: [result(1)],
      duplicate: true,
    });
  });

  it("a plan and its result are no duplicates", () => {
    expect(readHistory(entries("", [plan(1, 2), plan(2, 2), result(1, 2)])).duplicate).toBe(false);
    expect(readHistory(entries("", [plan(1, 2), plan(2, 2), plan(1, 2)])).duplicate).toBe(true);
  });

  it.each(["", "{}", "[]", "[1]", '[{"messageId":"m"}]', history({}).slice(0, -5), "null"])(
    "refuses %j",
    (body) =>
      expect(() => readHistory(parseHistory(body))).toThrow(
        expect.objectContaining({ code: "malformed_body" }),
      ),
  );

  it("refuses entries that aren't base64 or hold no record", () => {
    const bad = (body: string) =>
      readHistory([...entries("{}", []), { messageId: "m", body, callType: "step" }]);
    for (const body of [
      "%%%",
      base64("nonsense"),
      base64("{}"),
      base64('{"stepId":0,"stepName":"s","stepType":"Run","concurrent":2}'),
    ]) {
      expect(() => bad(body)).toThrow(expect.objectContaining({ code: "malformed_body" }));
    }
  });

  it("is cut after the delivered message, and nowhere else", () => {
    const all = entries("{}", [result(1), result(2)]);
    expect(cutAfter(all, "msg_1")).toHaveLength(2);
    expect(() => cutAfter(all, "msg_x")).toThrow(/no message "msg_x"/);
    expect(cutAfter(all.slice(0, 1), "whatever")).toHaveLength(1);
  });

  it("never fails otherwise than with a WorkflowError, whatever it is given", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (body) => {
        try {
          readHistory(parseHistory(body));
        } catch (error) {
          expect(error).toMatchObject({ name: "WorkflowError", code: "malformed_body" });
        }
      }),
    );
  });
});

describe("groups", () => {
  it.each<[string, StepRecord[], string, number]>([
    ["nothing", [], "advance", 1],
    ["a step", [result(1)], "advance", 2],
    ["the first plan of two", [plan(1, 2)], "member", 3],
    ["the second plan of two", [plan(1, 2), plan(2, 2)], "member", 3],
    ["a result while another is missing", [plan(1, 2), plan(2, 2), result(2, 2)], "wait", 3],
    ["the last result", [plan(1, 2), plan(2, 2), result(2, 2), result(1, 2)], "advance", 3],
    ["a plan behind a step", [result(1), plan(2, 3), plan(3, 3), plan(4, 3)], "member", 5],
  ])("after %s", (_name, records, kind, nextId) => {
    expect(readStepHistory(records)).toMatchObject({ phase: { kind }, nextId });
  });

  it("asks for exactly the planned member that was delivered", () => {
    expect(readStepHistory([plan(1, 2), plan(2, 2)]).phase).toMatchObject({
      kind: "member",
      entry: { id: 2, name: "s2" },
    });
  });
});

describe("steps", () => {
  it.each([
    "",
    "1",
    "null",
    '{"stepId":1}',
    '{"stepId":-1,"stepName":"a","stepType":"Run","concurrent":1}',
    '{"stepId":1,"stepName":"a","stepType":"Run","concurrent":1,"out":5}',
  ])("refuses %s", (json) =>
    expect(() => parseStep(json)).toThrow(expect.objectContaining({ code: "malformed_body" })),
  );
});

describe("failure callbacks", () => {
  it("gives the error's message and stack", () => {
    expect(parseFailure(failureBody())).toEqual({
      attempts: 4,
      details: undefined,
      dlqId: "1-0",
      error: expect.objectContaining({ name: "TypeError", message: "boom" }),
      failBody: expect.stringContaining('"message":"boom"'),
      failureId: "1-0",
      runId: RUN,
      step: undefined,
      where: "delivery",
      failStatus: 500,
      failHeaders: { "Content-Type": ["application/json"] },
      failResponse: "boom",
      failStack: "TypeError: boom\n    at charge",
      url: "https://app.example.com/api/wf",
      payload: '{"a":1}',
      createdAt: 1_700_000_000_000,
    });
  });

  it.each([
    ["an HTML page", "<h1>504</h1>", "<h1>504</h1>"],
    ["nothing", "", ""],
    ["JSON of somebody else", '{"oops":1}', '{"oops":1}'],
    ["an error without a message", '{"error":"Error","message":""}', ""],
    ["a list", "[1]", "[1]"],
  ])("gives %s as it came", (_name, body, expected) => {
    expect(parseFailure(failureBody({ body: base64(body) }))).toMatchObject({
      failResponse: expected,
      failStack: "",
    });
  });

  it.each(["", "[]", "null", "{}", '{"status":"500"}', '{"status":500,"body":"%%"}'])("refuses %j", (body) =>
    expect(() => parseFailure(body)).toThrow(expect.objectContaining({ code: "malformed_body" })),
  );
});

describe("a start message", () => {
  const of = (options: object) =>
    startMessage({ url: "https://a.example/wf", runId: "wfr_1", body: undefined, ...options }).headers;

  it("arms the failure callback and asks for nothing more", () => {
    expect(of({})).toEqual({
      "Upstash-Workflow-Init": "true",
      "Upstash-Workflow-RunId": "wfr_1",
      "Upstash-Workflow-Url": "https://a.example/wf",
      "Upstash-Feature-Set": "LazyFetch,InitialBody,WF_DetectTrigger,WF_TriggerOnConfig",
      "Upstash-Workflow-Sdk-Version": "1",
      "Upstash-Forward-Upstash-Workflow-Sdk-Version": "1",
      "Content-Type": "application/json",
      "Upstash-Failure-Callback": "https://a.example/wf",
      "Upstash-Failure-Callback-Workflow-Init": "false",
      "Upstash-Failure-Callback-Workflow-RunId": "wfr_1",
      "Upstash-Failure-Callback-Workflow-Url": "https://a.example/wf",
      "Upstash-Failure-Callback-Feature-Set": "LazyFetch,InitialBody,WF_DetectTrigger,WF_TriggerOnConfig",
      "Upstash-Failure-Callback-Workflow-CallType": "failureCall",
      "Upstash-Failure-Callback-Forward-Upstash-Workflow-Is-Failure": "true",
      "Upstash-Failure-Callback-Forward-Upstash-Workflow-Failure-Callback": "true",
    });
  });

  it("carries every option, twice where the failure callback shares it", () => {
    const headers = of({
      headers: { "X-User": "u", "content-type": "text/csv" },
      retries: 5,
      retryDelay: "1000 * retried",
      flowControl: { key: "k", parallelism: 2, rate: 3, period: "1m" },
      label: ["a", "b"],
      delay: 90,
      notBefore: 1_900_000_000,
      failureUrl: "https://b.example/failed",
      redact: { body: true, header: ["X-User"] },
    });
    expect(headers).toMatchObject({
      "Content-Type": "text/csv",
      "Upstash-Forward-X-User": "u",
      "Upstash-Failure-Callback-Forward-X-User": "u",
      "Upstash-Retries": "5",
      "Upstash-Failure-Callback-Retries": "5",
      "Upstash-Retry-Delay": "1000 * retried",
      "Upstash-Failure-Callback-Retry-Delay": "1000 * retried",
      "Upstash-Flow-Control-Key": "k",
      "Upstash-Flow-Control-Value": "parallelism=2, rate=3, period=1m",
      "Upstash-Failure-Callback-Flow-Control-Key": "k",
      "Upstash-Label": "a,b",
      "Upstash-Forward-Upstash-Label": "a,b",
      "Upstash-Failure-Callback-Forward-Upstash-Label": "a,b",
      "Upstash-Delay": "90s",
      "Upstash-Not-Before": "1900000000",
      "Upstash-Failure-Callback": "https://b.example/failed",
      "Upstash-Failure-Callback-Workflow-Url": "https://a.example/wf",
      "Upstash-Redact-Fields": "body,header[X-User]",
    });
    expect(headers["Upstash-Forward-content-type"]).toBeUndefined();
  });

  it("takes the older name of a rate", () => {
    const older = of({ flowControl: { key: "k", ratePerSecond: 5 } });
    expect(older["Upstash-Flow-Control-Value"]).toBe("rate=5");
    const both = of({ flowControl: { key: "k", rate: 2, ratePerSecond: 5 } });
    expect(both["Upstash-Flow-Control-Value"]).toBe("rate=2");
  });

  it.each([
    { retries: -1 },
    { retries: Number.NaN },
    { label: "a b" },
    { flowControl: { key: "a b", rate: 1 } },
    { flowControl: { key: "k" } },
    { delay: "soon" },
    { notBefore: -5 },
  ])("refuses %j with a TypeError", (options) => expect(() => of(options)).toThrow(TypeError));

  it("says which options of its failure function were chosen", () => {
    const header = (options: Parameters<typeof of>[0]) => of(options)["Perdure-Failure-Options"];
    expect(header({ retries: 1, retryDelay: "5" })).toBeUndefined();
    expect(header({ failureRetries: 1 })).toBe("Upstash-Retries");
    expect(header({ failureRetries: 0, failureRetryDelay: "5" })).toBe(
      "Upstash-Retries, Upstash-Retry-Delay",
    );
  });

  it("says how many retries there are, also the engine's default", () => {
    expect(of({})["Upstash-Retries"]).toBeUndefined();
    expect(of({ retries: 3 })["Upstash-Retries"]).toBe("3");
    expect(of({ retries: 0 })["Upstash-Retries"]).toBe("0");
  });
});
