import {
  base64,
  failureBody,
  failureHeaders,
  history,
  KEYS,
  request,
  runHeaders,
  signed,
} from "@perdure/test-support/delivery";
import { sampled } from "@perdure/test-support/sample";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { FailureFunctionParams, WorkflowFunction } from "../src/index.ts";
import { serve } from "../src/index.ts";
import { shorten, toErrorBody } from "../src/protocol/error.ts";
import { type Answer, answerOf, open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
const KIB = 1024;
// The console would write all of them.
beforeEach(() => void vi.spyOn(console, "error").mockImplementation(() => {}));
afterEach(() => vi.restoreAllMocks());

const LARGE = 1200 * KIB;
/** What engines keep of an answer. */
const ENGINE_LIMIT = KIB * KIB;

/** Delivers to an endpoint that knows its caller, who is shown stacks. */
async function deliverKnown(workflow: WorkflowFunction): Promise<Answer> {
  const env = { PERDURE_URL: recorder().url, PERDURE_TOKEN: "t" };
  const { handler } = serve(workflow, { env, keys: KEYS });
  return answerOf(handler(await signed(history({}), runHeaders())));
}

/** What the failure function is told of an attempt that has ended with this answer. */
async function tell({ status, body }: Answer): Promise<FailureFunctionParams> {
  let told: FailureFunctionParams | undefined;
  const failureFunction = (params: FailureFunctionParams) => {
    told = params;
  };
  const handler = open(recorder(), () => 1, { failureFunction });
  const report = failureBody({ status, body: base64(JSON.stringify(body)) });
  await answerOf(handler(request(report, failureHeaders())));
  return told ?? expect.unreachable();
}

const caused = (depth: number, message: string): Error =>
  new RangeError(message, depth === 0 ? {} : { cause: caused(depth - 1, message) });

const many = (message: string): Error[] => Array.from({ length: 20 }, () => new TypeError(message));

const TEXTS: [string, string][] = [
  ["letters", "x".repeat(LARGE)],
  ["control characters", "\u0000".repeat(LARGE)],
  ["quotes", '"\\'.repeat(LARGE / 2)],
  ["characters of several bytes", "€".repeat(LARGE)],
  ["pairs of surrogates", "😀".repeat(LARGE / 2)],
  ["halves of them", "\ud83d".repeat(LARGE)],
  ["letters before control characters", "x".repeat(60 * KIB) + "\u0000".repeat(LARGE)],
];

describe.each(sampled(TEXTS, 3))("an error of %s", (_name, long) => {
  it.each<[string, () => unknown, string]>([
    ["in its message", () => new RangeError(long), "RangeError"],
    ["in its causes", () => caused(12, long), "RangeError"],
    [
      "in a list of errors",
      () => new AggregateError(many(long), long, { cause: caused(9, long) }),
      "AggregateError",
    ],
    ["in its stack", () => Object.assign(new RangeError("short"), { stack: long }), "RangeError"],
    ["that isn't one", () => ({ long }), "Error"],
    ["that is a string", () => long, "Error"],
  ])("%s stays an error that the failure function can read", async (_place, make, name) => {
    const thrown = make();
    const answer = await deliverKnown((c) => c.run("parse", () => Promise.reject(thrown)));
    expect(Buffer.byteLength(JSON.stringify(answer.body))).toBeLessThan(ENGINE_LIMIT);
    const told = await tell(answer);
    expect(told).toMatchObject({
      where: "step",
      step: { id: 1, name: "parse", type: "Run" },
      failStatus: 500,
    });
    expect(told.error.name).toBe(name);
    expect(told.failResponse.length).toBeGreaterThan(0);
    for (const text of [told.failResponse, told.failStack])
      expect(Buffer.byteLength(JSON.stringify(text))).toBeLessThan(65 * KIB);
  });
});

const trap = (): never => {
  throw new RangeError("a trap of user code");
};
const withGetter = (field: string) =>
  Object.defineProperty(new AggregateError([], "m"), field, { get: trap });
const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

describe("a thrown value that can't be read", () => {
  it.each<[string, unknown]>([
    ["a name with a getter", withGetter("name")],
    ["a message with a getter", withGetter("message")],
    ["a stack with a getter", withGetter("stack")],
    ["a cause with a getter", withGetter("cause")],
    ["errors with a getter", withGetter("errors")],
    ["a list of errors that is revoked", Object.assign(new AggregateError([], "m"), { errors: revoked() })],
    [
      "a property with a getter",
      Object.defineProperty(new Error("m"), "own", { get: trap, enumerable: true }),
    ],
    ["a symbol as its name", Object.assign(new Error("m"), { name: Symbol("n") })],
    ["a symbol as its message", Object.assign(new Error("m"), { message: Symbol("m") })],
    ["a proxy of an error", new Proxy(new Error("m"), { get: trap })],
    [
      "a proxy that allows nothing",
      new Proxy({}, { get: trap, getPrototypeOf: trap, has: trap, ownKeys: trap }),
    ],
    ["a proxy that is revoked", revoked()],
    ["an object without a prototype", Object.create(null)],
  ])("is still a failure of its place: %s", async (_name, thrown) => {
    const inStep = await deliverKnown((c) => c.run("parse", () => Promise.reject(thrown)));
    expect(await tell(inStep)).toMatchObject({ where: "step", step: { name: "parse" }, failStatus: 500 });
    const outside = await deliverKnown(() => Promise.reject(thrown));
    const { where, failResponse } = await tell(outside);
    expect(where).toBe("before-first-step");
    expect(failResponse).not.toContain("a trap of user code");
    expect(failResponse).not.toBe("");
    const failing = open(recorder(), () => 1, { failureFunction: () => Promise.reject(thrown) });
    const { status, body } = await answerOf(failing(request(failureBody({}), failureHeaders())));
    expect({ status, said: body.message }).toEqual({ status: 500, said: failResponse });
  });
});

describe("an error that is shortened", () => {
  it("says so, and how long it was", () => {
    const { message } = toErrorBody(new Error("x".repeat(LARGE)), false);
    expect(message).toMatch(/^x{65536}… \[cut: 1228800 characters\]$/);
  });

  it("isn't where it fits", () => {
    for (const text of ["", "x".repeat(64 * KIB), "\u0000".repeat(10_922)])
      expect(toErrorBody(new Error(text), false).message).toBe(text);
  });

  it("isn't cut within a character", () => {
    expect(shorten(`x${"😀".repeat(10)}`, 10)).toMatch(/^x(?:😀)+… \[cut: 21 characters\]$/u);
  });

  it("keeps the lines of its stack that say where it was thrown", async () => {
    const answer = await deliverKnown((c) =>
      c.run("parse", function thrower() {
        throw new RangeError("x".repeat(LARGE));
      }),
    );
    expect(answer.body.stack).toMatch(/^RangeError: x+… \[cut: 1228800 characters\]\n {4}at .*thrower/);
  });
});

describe("an error with", () => {
  it.each<[string, object]>([
    ["a message that is an object", { message: { code: 7 } }],
    ["a message that is a bigint", { message: 7n }],
    ["no message", { message: undefined }],
    ["a name that is a number", { name: 7 }],
    ["a name that is a bigint", { name: 7n }],
    ["a very long name", { name: "N".repeat(LARGE) }],
    ["a stack that is an object", { stack: {} }],
    ["itself as its cause", {}],
  ])("%s is told as an error of its step", async (_name, fields) => {
    const error = Object.assign(new Error("said"), fields);
    error.cause = error;
    const answer = await deliverKnown((c) => c.run("parse", () => Promise.reject(error)));
    const told = await tell(answer);
    expect(told).toMatchObject({ where: "step", step: { name: "parse" } });
    expect(typeof told.failResponse).toBe("string");
  });

  it("a step of a very long name can be sent", async () => {
    const name = "é".repeat(LARGE);
    const answer = await deliverKnown((c) => c.run(name, () => Promise.reject(new Error("said"))));
    expect(answer.headers.get("Upstash-Error-Step-Name")?.length).toBeLessThan(2 * KIB);
    const told = await tell(answer);
    expect(told).toMatchObject({ where: "step", failResponse: "said" });
    expect(told.step?.name).toMatch(/^é+… \[cut/);
  });
});

describe("a step's failure that goes on record", () => {
  it("is shortened, too", async () => {
    const workflow: WorkflowFunction = (c) =>
      c.run("parse", () => Promise.reject(new Error("x".repeat(LARGE))), {
        onExhausted: "throw",
        retries: 0,
      });
    expect((await deliverKnown(workflow)).status).toBe(200);
    const [record] = recorder().records;
    expect(record?.failure?.error.message).toMatch(/^x{65536}… \[cut/);
  });
});
