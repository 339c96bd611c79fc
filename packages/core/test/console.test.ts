import { history, request, runHeaders } from "@perdure/test-support/delivery";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createWorkflow, serve, serveMany, type WorkflowFunction, WorkflowMiddleware } from "../src/index.ts";
import { deliver, open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
const LEVELS = ["error", "warn", "info"] as const;
beforeEach(() => {
  for (const level of LEVELS) vi.spyOn(console, level).mockImplementation(() => {});
});
afterEach(() => vi.restoreAllMocks());

/** Everything on the console: each argument must be a string, so that no platform prints it in a way of its own. */
function consoleText(): string {
  const values = LEVELS.flatMap((level) => vi.mocked(console[level]).mock.calls).flat();
  for (const value of values) expect(value).toBeTypeOf("string");
  return values.join("\n");
}

const MARKS: readonly [string, string, string][] = [
  ["an ANSI escape", "\u001b[2J", "\\u001b[2J"],
  ["an OSC escape", "\u001b]0;title\u0007", "\\u001b]0;title\\u0007"],
  ["a C1 control", "\u009b31m", "\\u009b31m"],
  ["a carriage return", "\r", "\\u000d"],
  ["a backspace", "\b", "\\u0008"],
  ["a deletion", "\u007f", "\\u007f"],
  ["an override of direction", "\u202e", "\\u202e"],
  ["an isolate", "\u2066", "\\u2066"],
  ["a mark of direction", "\u200f", "\\u200f"],
];
const ALL = MARKS.map(([, mark]) => mark).join("");
const ANY = new RegExp(`[${MARKS.map(([, mark]) => mark[0]).join("")}]`);

describe("on the console, what others supply", () => {
  it.each(MARKS)("has %s escaped", async (_name, mark, escaped) => {
    await deliver(
      open(recorder(), () => Promise.reject(new Error(`a\t${mark}b\nc é 👩‍💻`))),
      [],
    );
    expect(consoleText()).toContain(`a\t${escaped}b\nc é 👩‍💻`);
    expect(consoleText()).not.toContain(mark);
  });

  const fail =
    (thrown: unknown): WorkflowFunction =>
    () =>
      Promise.reject(thrown);
  const circular = new Error(`circular ${ALL}`);
  circular.cause = circular;
  it.each<[string, WorkflowFunction]>([
    ["a string", fail(`thrown ${ALL}`)],
    ["an object", fail({ thrown: ALL })],
    ["a name", fail(Object.assign(new Error("a"), { name: `thrown ${ALL}` }))],
    ["a stack", fail(Object.assign(new Error("a"), { stack: `thrown ${ALL}` }))],
    ["a property", fail(Object.assign(new Error("a"), { thrown: [ALL] }))],
    ["a cause", fail(new Error("a", { cause: new Error(`thrown ${ALL}`) }))],
    ["one of several errors", fail(new AggregateError([new Error(`thrown ${ALL}`)], "a"))],
    ["its own cause", fail(circular)],
    ["a step's name", (context) => context.run(`thrown ${ALL}`, () => Promise.reject(new Error("a")))],
  ])("is safe: %s", async (_name, workflow) => {
    await deliver(open(recorder(), workflow), []);
    expect(consoleText()).toMatch(/thrown|circular/);
    expect(consoleText()).not.toMatch(ANY);
  });

  it("is readable where an error leads back to itself, as those of HTTP clients do", async () => {
    const error = Object.assign(new Error("bad gateway"), { code: "E502", request: {} });
    Object.assign(error.request, { error, id: 17n });
    await deliver(open(recorder(), fail(error)), []);
    expect(consoleText()).toMatch(/Error: bad gateway\n.*\{"code":"E502","request":"…"\}/s);
  });

  it("is safe in verbose lines, and in a middleware's errors", async () => {
    const middlewares = [
      new WorkflowMiddleware({
        name: `own ${ALL}`,
        callbacks: { runStarted: () => Promise.reject(new Error(`late ${ALL}`)) },
      }),
    ];
    const workflow: WorkflowFunction = () => `result ${ALL}`;
    await deliver(open(recorder(), workflow, { verbose: true, middlewares }), []);
    expect(consoleText()).toMatch(/completed result/);
    expect(consoleText()).toMatch(/A middleware failed: .*own.*\[cause\]: Error: late/s);
    expect(consoleText()).not.toMatch(ANY);
  });

  it("is safe in refusals", async () => {
    const authorize = () => Promise.reject(new Error(`no ${ALL}`));
    const { handler } = serve(() => 1, { env: {}, authorize });
    await handler(request(history({}), runHeaders()));
    await serveMany({ [`key ${ALL}`]: createWorkflow(() => 1) }).handler(new Request("https://a.example/x"));
    expect(consoleText()).toMatch(/authorize failed: Error: no/);
    expect(consoleText()).toMatch(/one of: key/);
    expect(consoleText()).not.toMatch(ANY);
  });

  it("has a limit", async () => {
    await deliver(open(recorder(), fail(new Error("\u0000".repeat(10_000_000)))), []);
    expect(consoleText().length).toBeLessThan(1_000_000);
  });

  it("reaches a middleware as it is", async () => {
    const thrown = new Error(ALL);
    const onError = vi.fn();
    const middlewares = [new WorkflowMiddleware({ name: "own", callbacks: { onError } })];
    await deliver(
      open(recorder(), () => Promise.reject(thrown), { middlewares }),
      [],
    );
    expect(onError.mock.calls[0]?.[0].error).toBe(thrown);
  });
});
