import {
  entries,
  failureBody,
  failureHeaders,
  history,
  request,
  runHeaders,
} from "@perdure/test-support/delivery";
import { callHeaders } from "@perdure/test-support/forgeries";
import { Client as QStash } from "@upstash/qstash";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  createWorkflow,
  type Handler,
  type ServeOptions,
  serve,
  serveMany,
  type WorkflowContext,
  WorkflowMiddleware,
} from "../src/index.ts";
import type { StepRecord } from "../src/protocol/index.ts";
import { answerOf, deliver, open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();

const plan = (targetStep: number, stepName: string): StepRecord => ({
  stepId: 0,
  stepName,
  stepType: "Run",
  concurrent: 2,
  targetStep,
});

type Workflow = (context: WorkflowContext) => unknown;

const child = createWorkflow(() => 1);

/** Served beside a workflow that it can invoke. */
function withChild(workflow: Workflow): Handler {
  const env = { PERDURE_URL: recorder().url, PERDURE_TOKEN: "token" };
  return serveMany({ wf: createWorkflow(workflow), child }, { env, verify: "off" }).handler;
}

/** What an engine may refuse of a run: by name, how it comes to it, what the answer calls it, and the step it names. */
const ASKED: [string, Workflow, string, string | undefined, StepRecord[]][] = [
  ["a step's result", (c) => c.run("one", () => 1), 'the result of step "one"', "one", []],
  ["a step without a result", (c) => c.run("one", () => {}), 'step "one"', "one", []],
  ["a sleep", (c) => c.sleep("rest", 5), 'step "rest"', "rest", []],
  [
    "the plan of a group",
    (c) => Promise.all([c.run("a", () => 1), c.run("b", () => 2)]),
    'the plan of steps "a", "b"',
    undefined,
    [],
  ],
  [
    "the result of a group's member",
    (c) => Promise.all([c.run("a", () => 1), c.run("b", () => 2)]),
    'the result of step "a"',
    "a",
    [plan(1, "a")],
  ],
  [
    "a call",
    (c) => c.call("ask", { url: "https://third.example", method: "POST", body: "b" }),
    'the request of step "ask"',
    "ask",
    [],
  ],
  [
    "a child run",
    (c) => c.invoke("child", { workflow: child, body: "b" }),
    'the request of step "child"',
    "child",
    [],
  ],
  ["an event", (c) => c.notify("tell", "event", { a: 1 }), 'the event of step "tell"', "tell", []],
  ["a wait", (c) => c.waitForEvent("await", "event"), 'the wait of step "await"', "await", []],
  ["the workflow's result", () => "result", "the workflow's result", undefined, []],
  ["a cancellation", (c) => c.cancel(), "the end of the run", undefined, []],
];

/** Answers every request but that for the history of a live run. */
function answerWith(status: number): void {
  recorder().answer = ({ method }) =>
    method === "GET"
      ? { body: entries("{}", []) }
      : { status, body: { error: "it is larger than the 10 bytes that are allowed" } };
}

// The last ones are of a server that is no engine.
describe.each([400, 401, 403, 413, 301, 302, 308, 404, 405, 410])(
  "an engine that refuses with %d",
  (status) => {
    // For these, 404 says that the run is over.
    const asked = ASKED.filter(
      ([name]) => status !== 404 || !["the workflow's result", "a cancellation"].includes(name),
    );
    it.each(asked)("%s, refuses for good", async (_name, workflow, subject, step, records) => {
      answerWith(status);
      const answer = await deliver(withChild(workflow), records);
      expect(answer.status).toBe(489);
      expect(answer.headers.get("Upstash-NonRetryable-Error")).toBe("true");
      const { message, ...body } = answer.body;
      expect(message).toContain(`The engine at ${recorder().url} answers ${status} to ${subject} `);
      expect(message).toContain(": it is larger than the 10 bytes that are allowed");
      expect(body).toMatchObject({ error: "WorkflowError", ...(step ? { step: { name: step } } : {}) });
    });
  },
);

describe("an engine that refuses", () => {
  it("the answer to a call, refuses it for good", async () => {
    answerWith(413);
    const body = JSON.stringify({ status: 200, header: {}, body: "" });
    const answer = await answerOf(open(recorder(), () => 1)(request(body, callHeaders())));
    expect(answer).toMatchObject({
      status: 489,
      body: { message: expect.stringContaining('the answer to step "ask"') },
    });
  });

  it("one message among others that it takes, refuses the step for good", async () => {
    recorder().answer = () => ({ body: [{ error: "no such destination" }] });
    const answer = await deliver(
      open(recorder(), (c) => c.run("one", () => 1)),
      [],
    );
    expect(answer).toMatchObject({
      status: 489,
      body: { message: expect.stringMatching(/no such destination.*the result of step "one"/) },
    });
  });

  it.each(ASKED)(
    "%s, with a page of another server, refuses it for good",
    async (name, workflow, subject, _step, records) => {
      recorder().answer = ({ method }) =>
        method === "GET" ? { body: entries("{}", []) } : { text: "<h1>It works!</h1>" };
      const answer = await deliver(withChild(workflow), records);
      // The runtime reads only the status of these answers.
      if (["a wait", "the workflow's result", "a cancellation"].includes(name))
        expect(answer.status).toBe(200);
      else {
        expect(answer.status).toBe(489);
        expect(answer.body.message).toMatch(/It works!.*isn't JSON/);
        expect(answer.body.message).toContain(subject);
      }
    },
  );

  it("says how large the request was, and what to do", async () => {
    answerWith(413);
    const { body } = await deliver(
      open(recorder(), (c) => c.run("export", () => "é".repeat(1000))),
      [],
    );
    const size = Buffer.byteLength(recorder().requests[0]?.body ?? "");
    expect(body.message).toContain(`(${size} bytes)`);
    expect(body.message).toMatch(/Send less, or store the data elsewhere/);
  });

  it.each([400, 412])("with %d, for another reason than a size, gives no advice on sizes", async (status) => {
    answerWith(status);
    const { body } = await deliver(
      open(recorder(), (c) => c.run("export", () => 1)),
      [],
    );
    expect(body.message).not.toMatch(/Send less/);
  });

  it.each([408, 429, 500, 502, 503, 520])("with %d, may take it another time", async (status) => {
    for (const [, workflow, , , records] of ASKED) {
      answerWith(status);
      expect(await deliver(withChild(workflow), records)).toMatchObject({ status: 500 });
    }
  });

  it("because the run is over, refuses nothing", async () => {
    recorder().answer = ({ method }) => ({ status: method === "GET" ? 404 : 400, body: { error: "over" } });
    expect(
      await deliver(
        open(recorder(), (c) => c.run("one", () => 1)),
        [],
      ),
    ).toMatchObject({ status: 200, body: { finishCondition: "workflow-already-ended" } });
  });
});

describe("an endpoint that can't reach its engine", () => {
  let told: string[];
  beforeEach(() => {
    told = [];
    const write = (...said: unknown[]) => void told.push(said.map(String).join(" "));
    vi.spyOn(console, "error").mockImplementation(write);
    vi.spyOn(console, "warn").mockImplementation(write);
  });
  afterEach(() => vi.restoreAllMocks());

  const SETTINGS: [string, () => ServeOptions, RegExp][] = [
    ["no token", () => ({ env: { PERDURE_URL: recorder().url } }), /There is no token.*PERDURE_TOKEN/],
    [
      "an empty token",
      () => ({ env: { PERDURE_URL: recorder().url, PERDURE_TOKEN: "" } }),
      /There is no token.*PERDURE_TOKEN/,
    ],
    [
      "no token of its region",
      () => ({ env: { PERDURE_REGION: "US_EAST_1", PERDURE_TOKEN: "t" } }),
      /US_EAST_1_PERDURE_TOKEN/,
    ],
    [
      "an official client without a token",
      () => ({ env: {}, qstashClient: new QStash({ baseUrl: recorder().url, token: "" }) }),
      /There is no token/,
    ],
    [
      "a token that can't be sent",
      () => ({ env: { PERDURE_URL: recorder().url, PERDURE_TOKEN: "a\nb" } }),
      /token \(PERDURE_TOKEN\)/,
    ],
    ...[`"token"`, "'token'"].map((token): [string, () => ServeOptions, RegExp] => [
      `a token in the quotes of an env file: ${token}`,
      () => ({ env: { PERDURE_URL: recorder().url, PERDURE_TOKEN: token } }),
      /token \(PERDURE_TOKEN\) must be .* without spaces and quotes/,
    ]),
    ["no address", () => ({ env: { PERDURE_URL: "localhost:8080", PERDURE_TOKEN: "t" } }), /PERDURE_URL/],
    [
      "an address in code that isn't one",
      () => ({ env: {}, qstashClient: { baseUrl: "127.0.0.1:9", token: "t" } }),
      /baseUrl.*127\.0\.0\.1:9/,
    ],
  ];

  it.each(SETTINGS)("because it has %s, runs nothing, and says so", async (_name, options, complaint) => {
    let ran = 0;
    const workflow: Workflow = async (c) => {
      ran++;
      await c.run("charge", () => ++ran);
    };
    const middleware = { name: "m", callbacks: { runStarted: () => void ran++ } };
    const { handler } = serve(workflow, {
      ...options(),
      verify: "off",
      middlewares: [new WorkflowMiddleware(middleware)],
    });
    const answer = await deliver(handler, []);
    expect(answer).toMatchObject({ status: 500, body: { message: expect.stringMatching(complaint) } });
    expect(ran).toBe(0);
    expect(told.join("\n")).toMatch(complaint);
    expect(recorder().requests).toEqual([]);
  });

  it("still calls its failure function", async () => {
    let failure = "";
    const failureFunction = ({ failResponse }: { failResponse: string }) => {
      failure = failResponse;
    };
    const { handler } = serve(() => 1, { env: {}, verify: "off", failureFunction });
    await answerOf(handler(request(failureBody(), failureHeaders())));
    expect(failure).toBe("boom");
  });

  it("goes on as soon as it can", async () => {
    const env: Record<string, string> = { PERDURE_URL: recorder().url };
    const { handler } = serve((c) => c.run("one", () => 1), { env, verify: "off" });
    expect((await answerOf(handler(request(history({}), runHeaders())))).status).toBe(500);
    env.PERDURE_TOKEN = "t";
    expect((await answerOf(handler(request(history({}), runHeaders())))).status).toBe(200);
  });
});
