import { afterEach, describe, expect, it, vi } from "vitest";
import {
  Client,
  createWorkflow,
  serve,
  serveMany,
  type Workflow,
  type WorkflowContext,
  type WorkflowFunction,
} from "../src/index.ts";
import { deliver, open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
afterEach(() => vi.restoreAllMocks());

/** Options as JavaScript passes them. */
const plain = (options: object): never => options as never;
const url = "https://a.example/order";

describe("an unknown option", () => {
  it.each<[string, () => unknown, string, string]>([
    ["serve", () => serve(() => 1, plain({ retires: 1 })), 'Unknown option "retires" of serve', "retries"],
    [
      "serve, in another case",
      () => serve(() => 1, plain({ FailureFUNCTION() {} })),
      '"FailureFUNCTION" of serve',
      "failureFunction",
    ],
    ["serve's client", () => serve(() => 1, plain({ qstashClient: { tokn: "t" } })), '"tokn"', "token"],
    [
      "Client's retry",
      () => new Client({ baseUrl: url, token: "t", retry: plain({ retrys: 1 }) }),
      '"retrys" of retry',
      "retries",
    ],
    ["createWorkflow", () => createWorkflow(() => 1, plain({ scheme: 1 })), "of createWorkflow", "schema"],
    ["serveMany", () => serveMany({}, plain({ verboose: true })), "of serveMany", "verbose"],
    ["serveMany, of one workflow", () => serveMany({}, plain({ schema: {} })), '"schema" of serveMany', ""],
    ["Client", () => new Client(plain({ baseURL: url })), '"baseURL" of the client', "baseUrl"],
  ])("of %s is refused at once, and the nearest one named", (_name, make, complaint, nearest) => {
    expect(make).toThrow(TypeError);
    expect(make).toThrow(complaint);
    expect(make).toThrow(`The options are ${nearest}`);
  });

  it("of trigger and of a schedule is refused before anything is sent", async () => {
    const client = new Client({ baseUrl: recorder().url, token: "t" });
    await expect(client.trigger(plain({ url, payload: 1, workflowRunID: "a" }))).rejects.toThrow(
      'Unknown option "payload" of trigger',
    );
    await expect(client.trigger(plain([{ url, worfklowRunId: "a" }]))).rejects.toThrow(
      "The options are workflowRunId",
    );
    await expect(client.schedules.create(plain({ url, corn: "* * * * *" }))).rejects.toThrow(
      'Unknown option "corn" of a schedule. The options are cron',
    );
    await expect(client.trigger(url as never)).rejects.toThrow(/^Unknown option "0" of trigger\. .*\burl\b/);
    expect(recorder().requests).toEqual([]);
  });

  it.each<[string, object, string]>([
    ["an option of its own", { delay: () => 1 }, "delay must be"],
    ["another one", { retries: () => 1, body: 1 }, "retries must be"],
    [
      "an unknown option beside others",
      { body: { a: 1 }, onEnd: () => 1 },
      'Unknown option "onEnd" of trigger',
    ],
  ])(
    "of trigger whose value is a function makes no workflow of them: %s",
    async (_name, options, complaint) => {
      const client = new Client({ baseUrl: recorder().url, token: "t" });
      await expect(client.trigger(plain({ url, ...options }))).rejects.toThrow(complaint);
      expect(recorder().requests).toEqual([]);
    },
  );

  it.each<[string, object, string, string]>([
    ["flowControl", { key: "k", paralelism: 1 }, "paralelism", "parallelism"],
    ["flowControl", { key: "k", rate: 1, periode: "1s" }, "periode", "period"],
    ["flowControl", { key: "k", rate: 1, Key: "l" }, "Key", "key"],
    ["redact", { headers: true }, "headers", "header"],
    ["redact", { body: true, heder: ["a"] }, "heder", "header"],
  ])("inside %s is refused before anything is sent: %j", async (group, value, unknown, nearest) => {
    const client = new Client({ baseUrl: recorder().url, token: "t" });
    const complaint = `Unknown option "${unknown}" of ${group}. The options are ${nearest}`;
    await expect(client.trigger(plain({ url, [group]: value }))).rejects.toThrow(complaint);
    if (group === "flowControl") {
      await expect(
        client.schedules.create(plain({ url, cron: "* * * * *", [group]: value })),
      ).rejects.toThrow(complaint);
      const { body } = await deliver(
        open(recorder(), (context) => context.call("x", plain({ url, [group]: value }))),
        [],
      );
      expect(body.message).toContain(complaint);
    }
    expect(recorder().requests).toEqual([]);
  });

  const sibling: Workflow = createWorkflow(() => 1);
  it.each<[string, WorkflowFunction, string, string]>([
    ["run", (c) => c.run("x", () => 1, plain({ retrys: 1 })), "retrys", "retries"],
    ["call", (c) => c.call("x", plain({ url, methode: "POST" })), "methode", "method"],
    ["call of a workflow", (c) => c.call("x", plain({ workflow: sibling, lable: "a" })), "lable", "url"],
    ["invoke", (c) => c.invoke("x", plain({ workflow: sibling, timeOut: 1 })), "timeOut", "timeout"],
    ["waitForEvent", (c) => c.waitForEvent("x", "e", plain({ time: 1 })), "time", "timeout"],
    ["notify", (c) => c.notify("x", "e", 1, undefined, plain({ rollbck() {} })), "rollbck", "rollback"],
    [
      "api",
      (c) =>
        c.api.openai.call(
          "x",
          plain({ token: "t", operation: "chat.completions.create", body: {}, retry: 1 }),
        ),
      "retry",
      "retries",
    ],
  ])("of %s fails before the step begins", async (name, workflow, unknown, nearest) => {
    const { body } = await deliver(open(recorder(), workflow), []);
    expect(body).toMatchObject({ error: "TypeError" });
    expect(body.message).toContain(`Unknown option "${unknown}" of step "x".`);
    if (name !== "call of a workflow") expect(body.message).toContain(`The options are ${nearest}`);
    expect(recorder().requests).toEqual([]);
  });

  it("that is undefined isn't given, and a client of another kind isn't looked into", () => {
    expect(() => serve(() => 1, plain({ nothing: undefined }))).not.toThrow();
    expect(() => new Client(plain({ http: {}, anything: 1 }))).not.toThrow();
  });
});

describe("headers that aren't a plain object", () => {
  class OwnHeaders {
    readonly #all = new Map([["x", "1"]]);
    get(name: string): string | undefined {
      return this.#all.get(name);
    }
  }
  const WRONG: readonly (readonly [string, unknown])[] = [
    ["[object Headers]", new Headers({ x: "1" })],
    ["[object Map]", new Map([["x", "1"]])],
    ["[object Array]", [["x", "1"]]],
    ["[object URLSearchParams]", new URLSearchParams("x=1")],
    ["[object Object]", new OwnHeaders()],
    ["[object String]", "x: 1"],
    ["[object Null]", null],
    ["[object Number]", 1],
  ];
  const complaint = (got: string): string => `headers must be a plain object; got "${got}".`;
  const sibling: Workflow = createWorkflow(() => 1);

  it.each(WRONG)("are refused by the client, and nothing is sent: %s", async (got, headers) => {
    const client = new Client({ baseUrl: recorder().url, token: "t" });
    const settings = plain({ baseUrl: url, token: "t", headers });
    expect(() => new Client(settings)).toThrow(new TypeError(complaint(got)));
    const options = plain({ url, headers, cron: "* * * * *" });
    await expect(client.schedules.create(options)).rejects.toThrow(complaint(got));
    await expect(client.trigger(plain({ url, headers }))).rejects.toThrow(complaint(got));
    await expect(client.trigger(plain([{ url }, { url, headers }]))).rejects.toThrow(TypeError);
    expect(recorder().requests).toEqual([]);
  });

  it.each(WRONG)("are refused before a step begins: %s", async (got, headers) => {
    const steps: WorkflowFunction[] = [
      (c) => c.call("x", plain({ url, headers })),
      (c) => c.call("x", plain({ workflow: sibling, headers })),
      (c) => c.invoke("x", plain({ workflow: sibling, headers })),
      (c) => c.api.resend.call("x", plain({ token: "t", body: {}, headers })),
    ];
    for (const workflow of steps) {
      const { body } = await deliver(open(recorder(), workflow), []);
      expect(body.message).toContain(`headers of step "x" must be a plain object; got "${got}".`);
    }
    expect(recorder().requests).toEqual([]);
  });

  it("may have no prototype, and come from another realm", async () => {
    const { runInNewContext } = await import("node:vm");
    const client = new Client({ baseUrl: recorder().url, token: "t" });
    const given = [
      Object.assign(Object.create(null), { X: "1" }),
      runInNewContext("({ X: '1' })"),
      Object.freeze({ X: "1" }),
    ];
    for (const headers of given) await client.trigger({ url, headers }).catch(() => undefined);
    const sent = recorder().requests.map(({ body }) => JSON.stringify(body));
    expect(sent).toHaveLength(given.length);
    for (const text of sent) expect(text).toContain("upstash-forward-x");
  });

  it("of a provider's request replace the provider's own", async () => {
    const headers = { Authorization: "Bearer other" };
    await deliver(
      open(recorder(), (c) => c.api.resend.call("x", { token: "t", body: {}, headers })),
      [],
    );
    const text = JSON.stringify(recorder().requests.map(({ body }) => body));
    expect(text).toContain("Bearer other");
    expect(text).not.toContain('Bearer t"');
  });
});

describe("a promise in the place of a function", () => {
  it.each<[string, (work: never) => WorkflowFunction]>([
    ["of a step's work", (work) => (context) => context.run("p", work)],
    ["of a rollback", (rollback) => (context) => context.run("p", () => 1, { rollback })],
  ])("%s is named", async (_name, make) => {
    const { body } = await deliver(open(recorder(), make(Promise.resolve(1) as never)), []);
    expect(body.message).toMatch(/ of step "p" must be a function: put \(\) => before it; got a Promise\./);
  });
});

describe("an id that no URL can carry", () => {
  it.each<[string, (context: WorkflowContext) => Promise<unknown>, string]>([
    ["notify", (c) => c.notify("x", ".."), 'got "..".'],
    ["notify of a run", (c) => c.notify("x", "e", 1, "."), 'workflowRunId of step "x" must be well-formed'],
    ["waitForEvent", (c) => c.waitForEvent("x", "\ud800"), 'got "\\ud800".'],
  ])("is refused by %s", async (_name, workflow, complaint) => {
    const { body } = await deliver(open(recorder(), workflow), []);
    expect(body.message).toContain('of step "x" must be well-formed, and not "." or ".."; got ');
    expect(body.message).toContain(complaint);
  });
});

describe("an argument that is missing", () => {
  const eventId = 'The event id of step "x" must be a non-empty string; got undefined.';

  it.each<[string, (context: WorkflowContext) => Promise<unknown>, string]>([
    ["invoke", (c) => c.invoke("x", {} as never), 'workflow of step "x" must be a workflow; got undefined.'],
    [
      "invoke by name",
      (c) => c.invoke("x", plain({ workflow: "child" })),
      'must be a workflow; got "child".',
    ],
    ["notify", (c) => c.notify("x", undefined as never), eventId],
    ["waitForEvent", (c) => c.waitForEvent("x", undefined as never), eventId],
    ["waitForEvent, of an object", (c) => c.waitForEvent("x", plain({})), eventId],
    ["waitForWebhook", (c) => c.waitForWebhook("x", plain({}), 1), eventId],
  ])("of %s is named", async (_name, workflow, complaint) => {
    const { body } = await deliver(open(recorder(), workflow), []);
    expect(body.message).toContain(complaint);
  });

  it("of a client's notify is named", async () => {
    const client = new Client({ baseUrl: recorder().url, token: "t" });
    await expect(client.notify(plain({}))).rejects.toThrow("The event id must be a non-empty string");
  });

  it("of a step that isn't awaited is a warning, and doesn't end the process", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const { status } = await deliver(
      open(recorder(), (c) => {
        void c.sleep("not awaited", undefined as never);
        return 1;
      }),
      [],
    );
    // vitest fails a test for an unhandled rejection.
    expect(status).toBe(200);
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('The duration of step "not awaited"'));
  });
});

describe("a workflow that isn't served beside the one that starts it", () => {
  it("is named with it, and with those that are", async () => {
    const stranger = createWorkflow(async function resize(_: WorkflowContext<undefined>) {});
    const album = createWorkflow((context) => context.invoke("kid", { workflow: stranger }));
    const { handler } = serveMany(
      { wf: album, thumbnails: createWorkflow(() => 1) },
      { env: { PERDURE_URL: recorder().url, PERDURE_TOKEN: "t" }, verify: "off" },
    );
    const { body } = await deliver(handler, []);
    expect(body.message).toMatch(
      /Step "kid" of https?:\S+\/wf starts the workflow resize, which its serveMany lacks/,
    );
    expect(body.message).toContain("it serves: wf, thumbnails");
  });
});

describe("a result that JSON gives back as something else", () => {
  class Money {
    readonly cents = 1;
  }
  const warnings = async (name: string, result: unknown): Promise<string[]> => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    await deliver(
      open(recorder(), (context) => context.run(name, () => result)),
      [],
    );
    return warn.mock.calls.map(([message]) => String(message));
  };

  it.each<[string, unknown, string]>([
    ["a date", { orders: [{ at: new Date(0) }] }, 'it.orders.0.at was a Date and becomes "1970-01-01'],
    ["a map", new Map([[1, 2]]), "it was a Map and becomes {}"],
    ["an instance", { price: new Money() }, 'it.price was a Money and becomes {"cents":1}'],
    ["a function", { save() {} }, "it.save was a function and becomes undefined"],
    ["no number", [Number.NaN], "it.0 was NaN and becomes null"],
    ["a gap", [undefined], "it.0 was undefined and becomes null"],
    ["a symbol", Symbol("a"), "it was a symbol and becomes undefined"],
  ])("is warned of: %s", async (name, result, loss) => {
    const [warning] = await warnings(name, result);
    expect(warning).toContain(`The result of step "${name}" isn't what JSON gives back: ${loss}`);
    expect(await warnings(name, result)).toHaveLength(1);
  });

  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["what JSON carries", { a: [1, "b", null, { c: true, d: undefined }], [Symbol.iterator]: 1 }],
    ["an object without a prototype", Object.assign(Object.create(null), { a: 1 })],
    ["a negative zero", -0],
  ])("is not %s", async (name, result) => {
    expect(await warnings(name, result)).toEqual([]);
  });

  it("costs the step nothing where NODE_ENV may not be read, as on Deno", async () => {
    const { env } = process;
    process.env = new Proxy(env, {
      get(variables, name) {
        if (name === "NODE_ENV") throw new Error("NotCapable");
        return variables[String(name)];
      },
    });
    try {
      expect(await warnings("unreadable", new Date(0))).toEqual([]);
      expect(recorder().records).toMatchObject([
        { stepName: "unreadable", out: '"1970-01-01T00:00:00.000Z"' },
      ]);
    } finally {
      process.env = env;
    }
  });

  it("is told of a workflow, too, and not in production", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const handler = open(recorder(), () => ({ doneAt: new Date(0) }));
    vi.stubEnv("NODE_ENV", "production");
    await deliver(handler, []);
    expect(warn).not.toHaveBeenCalled();
    vi.unstubAllEnvs();
    await deliver(handler, []);
    expect(warn).toHaveBeenCalledWith(expect.stringContaining("The workflow's result isn't what JSON"));
  });
});
