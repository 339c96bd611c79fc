import {
  failureBody,
  failureHeaders,
  history,
  KEYS,
  RUN,
  request,
  runHeaders,
  sign,
  signed,
  type Token,
  URL,
} from "@perdure/test-support/delivery";
import { Client as Official, Receiver } from "@upstash/qstash";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { AuthorizationRequest, ServeOptions } from "../src/index.ts";
import { memoryReplayGuard, serve } from "../src/index.ts";
import { DEV_CREDENTIALS, PUBLIC_USERS } from "../src/protocol/index.ts";
import { answerOf, expectMisconfigured, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
afterEach(() => vi.restoreAllMocks());

const KEY_ENV = { PERDURE_CURRENT_SIGNING_KEY: KEYS.current, PERDURE_NEXT_SIGNING_KEY: KEYS.next };
const DEV_KEY = "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r";

function endpoint(options: ServeOptions = {}, env: Record<string, string> = KEY_ENV) {
  const ran = { workflow: 0, failureFunction: 0 };
  const { handler } = serve(
    async () => {
      ran.workflow++;
    },
    {
      env: { PERDURE_URL: recorder().url, PERDURE_TOKEN: "token", ...env },
      failureFunction: () => {
        ran.failureFunction++;
      },
      ...options,
    },
  );
  return { handler, ran };
}

/** What a stranger is told. */
const NOTHING_MORE = { error: "WorkflowError", message: "The endpoint refuses the request." };

const body = history({ a: 1 });
const bring = (token?: Token, headers = runHeaders(), url = URL) => signed(body, headers, token, url);

describe("the signature", () => {
  it.each<[string, Token]>([
    ["the current key", {}],
    ["the next key", { key: KEYS.next }],
    ["a claim for this delivery", { claim: { kind: "resume", runId: RUN, messageId: "msg_last" } }],
  ])("by %s lets a delivery in", async (_name, token) => {
    const { handler, ran } = endpoint();
    expect(await answerOf(handler(await bring(token)))).toMatchObject({ status: 200 });
    expect(ran.workflow).toBe(1);
  });

  it.each<[string, Token, RegExp]>([
    ["an unknown key", { key: "sig_other" }, /signature/],
    ["another issuer", { issuer: "Somebody" }, /iss/],
    ["another time", { expiresIn: -1 }, /exp/],
    ["another body", { body: "[]" }, /another body/],
    ["another host", { subject: "https://evil.example/other" }, /another URL/],
    ["another path", { subject: "https://app.example.com/api/other" }, /another URL/],
    ["another query", { subject: `${URL}?a=1` }, /another URL/],
    ["no URL", { subject: "nowhere" }, /another URL/],
    ["another kind", { claim: { kind: "failure", runId: RUN, messageId: "msg_last" } }, /another delivery/],
    [
      "another run",
      { claim: { kind: "resume", runId: "wfr_other", messageId: "msg_last" } },
      /another delivery/,
    ],
    [
      "another message",
      { claim: { kind: "resume", runId: RUN, messageId: "msg_other" } },
      /another delivery/,
    ],
  ])("made with or for %s is refused with 401, and nothing runs", async (_name, token, reason) => {
    const told = vi.spyOn(console, "warn").mockImplementation(() => {});
    const { handler, ran } = endpoint();
    const answer = await answerOf(handler(await bring(token)));
    expect(answer).toMatchObject({ status: 401, body: NOTHING_MORE });
    expect(told.mock.calls.flat().join(" ")).toMatch(reason);
    expect(ran.workflow).toBe(0);
    expect(recorder().requests).toEqual([]);
  });

  it.each([{}, { "Upstash-Signature": "" }, { "Upstash-Signature": "x" }, { "Upstash-Signature": "a.b.c" }])(
    "%j is refused with 401",
    async (headers) => {
      const { handler, ran } = endpoint();
      expect(await answerOf(handler(request(body, { ...runHeaders(), ...headers })))).toMatchObject({
        status: 401,
      });
      expect(ran.workflow).toBe(0);
    },
  );

  it.each(["?a=%20b&c", "?a=+b&c="])(
    "for a query lets in the same parameters, written as %s",
    async (query) => {
      const { handler } = endpoint();
      const token = { subject: `${URL}?a=+b&c=` };
      expect(await answerOf(handler(await bring(token, runHeaders(), URL + query)))).toMatchObject({
        status: 200,
      });
      const other = { subject: `${URL}?c=&a=+b` };
      expect(await answerOf(handler(await bring(other, runHeaders(), URL + query)))).toMatchObject({
        status: 401,
      });
    },
  );

  it("of an algorithm without a key is refused", async () => {
    const token = await sign(body);
    const [, payload] = token.split(".");
    const none = `${Buffer.from('{"alg":"none","typ":"JWT"}').toString("base64url")}.${payload}.`;
    const { handler } = endpoint();
    expect(await answerOf(handler(request(body, runHeaders({ "Upstash-Signature": none }))))).toMatchObject({
      status: 401,
    });
  });

  it("is over the bytes as they came", async () => {
    const exact = '[ { "messageId":"msg_last" , "body":"eyJhIjoxfQ==", "callType":"step" } ]';
    const { handler } = endpoint();
    expect(await answerOf(handler(await signed(exact, runHeaders())))).toMatchObject({ status: 200 });
    const same = JSON.stringify(JSON.parse(exact));
    expect(
      await answerOf(handler(request(same, runHeaders({ "Upstash-Signature": await sign(exact) })))),
    ).toMatchObject({ status: 401 });
  });

  it("of a captured step can't call the failure function", async () => {
    const { handler, ran } = endpoint();
    const captured = await sign(body, { claim: { kind: "resume", runId: RUN, messageId: "msg_last" } });
    const forged = request(body, {
      ...failureHeaders(),
      "Upstash-Message-Id": "msg_last",
      "Upstash-Signature": captured,
    });
    expect(await answerOf(handler(forged))).toMatchObject({ status: 401 });
    expect(ran.failureFunction).toBe(0);
  });
});

describe("the public URL", () => {
  it.each<[string, ServeOptions, string, number]>([
    ["url", { url: "https://public.example/api/wf" }, "https://public.example/api/wf", 200],
    ["url", { url: "https://public.example/api/wf" }, URL, 401],
    ["baseUrl", { baseUrl: "https://public.example" }, "https://public.example/api/wf", 200],
    ["baseUrl", { baseUrl: "https://public.example" }, URL, 401],
    [
      "baseUrl with a path",
      { baseUrl: "https://public.example/docs" },
      "https://public.example/docs/api/wf",
      200,
    ],
    [
      "baseUrl with a slash",
      { baseUrl: "https://public.example/a/" },
      "https://public.example/a/api/wf",
      200,
    ],
    ["baseUrl with a path", { baseUrl: "https://public.example/docs" }, "https://public.example/api/wf", 401],
  ])("set by %s is what the token must be made for", async (_name, options, subject, status) => {
    const { handler } = endpoint(options);
    expect(await answerOf(handler(await bring({ subject })))).toMatchObject({ status });
  });

  it("may come from PERDURE_WORKFLOW_URL", async () => {
    const { handler } = endpoint({}, { ...KEY_ENV, PERDURE_WORKFLOW_URL: "https://public.example" });
    expect(await answerOf(handler(await bring({ subject: "https://public.example/api/wf" })))).toMatchObject({
      status: 200,
    });
    expect(await answerOf(handler(await bring()))).toMatchObject({ status: 401 });
  });

  it("unknown, leaves the host to the proxy and binds path and query", async () => {
    const { handler } = endpoint();
    const behind = await bring(
      { subject: "https://public.example/api/wf" },
      runHeaders(),
      "http://10.0.0.1:3000/api/wf",
    );
    expect(await answerOf(handler(behind))).toMatchObject({ status: 200 });
  });

  describe("told by a proxy", () => {
    const forwarded = { "X-Forwarded-Proto": "https, http", "X-Forwarded-Host": "public.example, inner" };
    const behind = (subject: string, more = forwarded) =>
      bring({ subject }, { ...runHeaders(), ...more }, "http://10.0.0.1:3000/api/wf?a=1");
    const ask = async (mail: Request, options: ServeOptions = {}) =>
      (await endpoint({ trustProxy: true, ...options }).handler(mail)).status;

    it("that is trusted is what the token must be made for", async () => {
      expect(await ask(await behind("https://public.example/api/wf?a=1"))).toBe(200);
      expect(await ask(await behind("https://other.example/api/wf?a=1"))).toBe(401);
    });

    it("that isn't trusted is nothing", async () => {
      const options = { trustProxy: false, baseUrl: "http://10.0.0.1:3000" };
      expect(await ask(await behind("https://public.example/api/wf?a=1"), options)).toBe(401);
      expect(await ask(await behind("http://10.0.0.1:3000/api/wf?a=1"), options)).toBe(200);
    });

    it.each(["a/../b", "a@b", "a?b", "", "a b"])("is a host or nothing: %j", async (host) => {
      const mail = await behind("https://10.0.0.1:3000/api/wf?a=1", {
        ...forwarded,
        "X-Forwarded-Host": host,
      });
      expect(await ask(mail)).toBe(200);
    });

    it("is less than what is configured", async () => {
      const options = { baseUrl: "https://public.example" };
      const mail = await behind("https://public.example/api/wf?a=1", {
        ...forwarded,
        "X-Forwarded-Host": "evil.example",
      });
      expect(await ask(mail, options)).toBe(200);
    });
  });

  it.each(["ftp://a", "app.example.com", "https://"])("%j isn't taken", async (url) => {
    await expectMisconfigured(async () => endpoint({ url }).handler(await bring()), /TypeError: url must be/);
    await expectMisconfigured(
      async () => endpoint({ baseUrl: url }).handler(await bring()),
      /TypeError: baseUrl/,
    );
  });
});

describe("a failure callback", () => {
  it.each([
    ["without a signature", {}],
    ["with a signature for another body", { "Upstash-Signature": "will be replaced" }],
  ])("%s doesn't reach the failure function", async (_name, extra) => {
    const { handler, ran } = endpoint();
    const headers = "Upstash-Signature" in extra ? { "Upstash-Signature": await sign("{}") } : {};
    expect(
      await answerOf(handler(request(failureBody(), { ...failureHeaders(), ...headers }))),
    ).toMatchObject({ status: 401 });
    expect(ran).toEqual({ workflow: 0, failureFunction: 0 });
  });

  it("with a signature reaches it, and the workflow isn't run", async () => {
    const { handler, ran } = endpoint();
    expect(await answerOf(handler(await signed(failureBody(), failureHeaders())))).toMatchObject({
      status: 200,
    });
    expect(ran).toEqual({ workflow: 0, failureFunction: 1 });
  });

  it("is asked about by the authorize hook, which is told what it is", async () => {
    const asked: AuthorizationRequest[] = [];
    const { handler, ran } = endpoint(
      {
        authorize: (question) => {
          asked.push(question);
          return question.headers.get("X-Secret") === "s";
        },
      },
      {},
    );
    expect(await answerOf(handler(request(failureBody(), failureHeaders())))).toMatchObject({ status: 403 });
    expect(ran.failureFunction).toBe(0);
    expect(
      await answerOf(handler(request(failureBody(), failureHeaders({ "X-Secret": "s" })))),
    ).toMatchObject({ status: 200 });
    expect(ran.failureFunction).toBe(1);
    expect(asked).toHaveLength(2);
    expect(asked[0]).toMatchObject({ kind: "failure", runId: RUN, url: URL, body: failureBody() });
  });
});

describe("the authorize hook", () => {
  it.each(["start", "resume", "failure"] as const)("is asked for a %s", async (kind) => {
    const asked: string[] = [];
    const { handler } = endpoint({ authorize: (question) => asked.push(question.kind) > 0 }, {});
    const requests = {
      start: request("{}"),
      resume: request(body, runHeaders()),
      failure: request(failureBody(), failureHeaders()),
    };
    expect(await answerOf(handler(requests[kind]))).toMatchObject({ status: 200 });
    expect(asked).toEqual([kind]);
  });

  it("and a signature must both pass", async () => {
    let allowed = true;
    const { handler, ran } = endpoint({ authorize: () => allowed });
    expect(await answerOf(handler(request(body, runHeaders())))).toMatchObject({ status: 401 });
    expect(await answerOf(handler(await bring()))).toMatchObject({ status: 200 });
    allowed = false;
    expect(await answerOf(handler(await bring()))).toMatchObject({ status: 403 });
    expect(ran.workflow).toBe(1);
  });

  it.each<[string, () => unknown]>([
    ["false", () => false],
    ["something else than true", () => "yes"],
    ["nothing", () => undefined],
  ])("refuses with %s", async (_name, authorize) => {
    const { handler, ran } = endpoint({ authorize: authorize as () => boolean }, {});
    expect(await answerOf(handler(request(body, runHeaders())))).toMatchObject({ status: 403 });
    expect(ran.workflow).toBe(0);
  });

  it("refuses when it throws, and tells the developer why, not the caller", async () => {
    const log = vi.spyOn(console, "warn").mockImplementation(() => {});
    const { handler } = endpoint(
      { authorize: () => Promise.reject(new Error("database password wrong")) },
      {},
    );
    const answer = await answerOf(handler(request(body, runHeaders())));
    expect(answer).toMatchObject({ status: 403, body: { error: "WorkflowError" } });
    expect(JSON.stringify(answer.body)).not.toContain("password");
    expect(log).toHaveBeenCalledWith(expect.stringContaining("Error: database password wrong"));
  });
});

describe("an authorize hook that hangs", () => {
  afterEach(() => vi.useRealTimers());

  it("refuses after ten seconds", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { handler, ran } = endpoint({ authorize: () => new Promise(() => {}) }, {});
    const answer = answerOf(handler(request(body, runHeaders())));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await answer).toMatchObject({ status: 403 });
    expect(ran.workflow).toBe(0);
  });
});

describe("a replay guard", () => {
  it("lets each token in once", async () => {
    const { handler, ran } = endpoint({ replayGuard: memoryReplayGuard() });
    const headers = { ...runHeaders(), "Upstash-Signature": await sign(body) };
    expect((await handler(request(body, headers))).status).toBe(200);
    expect((await handler(request(body, headers))).status).toBe(401);
    expect(ran.workflow).toBe(1);
  });

  it("isn't asked about tokens that are refused anyway", async () => {
    const seen = vi.fn(() => false);
    const { handler } = endpoint({ replayGuard: { seen } });
    await handler(await bring({ subject: "https://other.example/" }));
    expect(seen).not.toHaveBeenCalled();
    await handler(await bring());
    expect(seen).toHaveBeenCalledWith("jwt_test", expect.any(Number));
  });

  it("forgets what has expired, and nothing else", () => {
    let now = 0;
    const guard = memoryReplayGuard(() => now);
    expect([guard.seen("a", 10), guard.seen("b", 20), guard.seen("a", 10)]).toEqual([false, false, true]);
    now = 71_000;
    expect([guard.seen("b", 20), guard.seen("a", 30)]).toEqual([true, false]);
  });
});

describe("without any check", () => {
  it("everything is refused, and the console says what to do", async () => {
    const told = vi.spyOn(console, "warn").mockImplementation(() => {});
    const { handler, ran } = endpoint({}, {});
    for (const one of [
      request("{}"),
      request(body, runHeaders()),
      request(failureBody(), failureHeaders()),
    ]) {
      expect(await answerOf(handler(one))).toMatchObject({
        status: 401,
        body: NOTHING_MORE,
      });
    }
    expect(told.mock.calls).toHaveLength(3);
    for (const [line] of told.mock.calls) expect(line).toMatch(/PERDURE_CURRENT_SIGNING_KEY.*verify: "off"/);
    expect(ran).toEqual({ workflow: 0, failureFunction: 0 });
  });

  it('`verify: "off"` lets anybody in, and shows nobody a stack', async () => {
    const { handler } = serve(
      () => {
        throw new Error("inside");
      },
      { verify: "off", env: { PERDURE_TOKEN: "t" } },
    );
    const answer = await answerOf(handler(request(body, runHeaders())));
    expect(answer).toMatchObject({ status: 500, body: { error: "Error", message: "inside" } });
    expect(answer.body).not.toHaveProperty("stack");
  });

  it("a verified caller is shown the stack", async () => {
    const { handler } = serve(
      () => {
        throw new Error("inside");
      },
      { keys: KEYS, env: { PERDURE_TOKEN: "token-of-the-test" } },
    );
    expect((await answerOf(handler(await bring()))).body.stack).toContain("authorize.test");
  });

  it("one key of two is a mistake that is named", async () => {
    const { handler } = endpoint({}, { PERDURE_CURRENT_SIGNING_KEY: "sig" });
    const mail = await bring();
    await expectMisconfigured(() => handler(mail), /PERDURE_NEXT_SIGNING_KEY/);
  });
});

describe("a receiver", () => {
  it("of the official client verifies in place of the keys", async () => {
    const receiver = new Receiver({ currentSigningKey: KEYS.current, nextSigningKey: KEYS.next });
    const { handler } = endpoint({ receiver, url: URL }, {});
    expect(await answerOf(handler(await bring()))).toMatchObject({ status: 200 });
    expect(await answerOf(handler(await bring({ key: "sig_other" })))).toMatchObject({ status: 401 });
    expect(await answerOf(handler(await bring({ subject: "https://evil.example/" })))).toMatchObject({
      status: 401,
    });
    expect(await answerOf(handler(request(body, runHeaders())))).toMatchObject({ status: 401 });
  });

  it("that says no is obeyed", async () => {
    const { handler } = endpoint({ receiver: { verify: async () => false } }, {});
    expect(await answerOf(handler(await bring()))).toMatchObject({ status: 401 });
  });
});

describe("development mode", () => {
  const DEV = { PERDURE_DEV: "1" };

  it("trusts the public development keys", async () => {
    const { handler } = endpoint({ qstashClient: { baseUrl: recorder().url } }, DEV);
    expect(await answerOf(handler(await bring({ key: DEV_KEY })))).toMatchObject({ status: 200 });
    expect(await answerOf(handler(await bring({ key: "sig_other" })))).toMatchObject({ status: 401 });
    expect(recorder().finished[0]?.headers.authorization).toMatch(/^Bearer eyJ/);
  });

  it.each([
    ["real keys are set", { ...DEV, ...KEY_ENV }],
    ["NODE_ENV is production", { ...DEV, NODE_ENV: "production" }],
  ])("is ignored with a warning when %s", async (_name, env) => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    // Another test may have caused this warning, which comes once in each process.
    vi.resetModules();
    const { serve: fresh } = await import("../src/index.ts");
    const workflow = vi.fn();
    const { handler } = fresh(workflow, {
      env: { PERDURE_URL: recorder().url, PERDURE_TOKEN: "token", ...env },
    });
    expect(await answerOf(handler(await bring({ key: DEV_KEY })))).toMatchObject({ status: 401 });
    expect(workflow).not.toHaveBeenCalled();
    expect(warn).toHaveBeenCalledWith(expect.stringContaining("PERDURE_DEV is ignored"));
  });

  it("takes the development keys among the variables without a warning, as perdure dev gives them", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    vi.resetModules();
    const { serve: fresh } = await import("../src/index.ts");
    const { port } = new globalThis.URL(recorder().url);
    const { token, currentSigningKey, nextSigningKey } = DEV_CREDENTIALS;
    const env = {
      PERDURE_URL: recorder().url,
      PERDURE_TOKEN: token,
      PERDURE_CURRENT_SIGNING_KEY: currentSigningKey,
      PERDURE_NEXT_SIGNING_KEY: nextSigningKey,
      ...DEV,
      PERDURE_DEV_PORT: port,
    };
    const { handler } = fresh(() => "done", { env });
    expect(await answerOf(handler(await bring({ key: DEV_KEY })))).toMatchObject({ status: 200 });
    expect(await answerOf(handler(await bring({ key: "sig_other" })))).toMatchObject({ status: 401 });
    expect(warn.mock.calls.flat().filter((line) => !/refused/.test(String(line)))).toEqual([]);
  });

  it("is ignored when real keys of a region are set", async () => {
    const env = {
      US_EAST_1_PERDURE_CURRENT_SIGNING_KEY: "sig_c",
      US_EAST_1_PERDURE_NEXT_SIGNING_KEY: "sig_n",
    };
    const { handler } = endpoint({}, { ...DEV, ...env });
    expect(await answerOf(handler(await bring({ key: DEV_KEY })))).toMatchObject({ status: 401 });
  });

  const PUBLIC = PUBLIC_USERS.map(({ signingKeys }) => signingKeys);
  const asEnv = ({ current, next }: (typeof PUBLIC)[number]) => ({
    PERDURE_CURRENT_SIGNING_KEY: current,
    PERDURE_NEXT_SIGNING_KEY: next,
  });

  it.each(PUBLIC)("is nothing for production: the keys %j", async (keys) => {
    const mail = () => bring({ key: keys.current });
    for (const NODE_ENV of ["production", "Production", "production "]) {
      const ways = [endpoint({}, { ...asEnv(keys), NODE_ENV }), endpoint({ keys }, { NODE_ENV })];
      for (const { handler } of ways) {
        const sent = await mail();
        await expectMisconfigured(() => handler(sent), /signing key.*public.*production/);
      }
    }
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const { handler } = endpoint({}, { ...asEnv(keys), NODE_ENV: "development" });
    expect((await handler(await mail())).status).toBe(200);
    warn.mockRestore();
  });

  it.each(PUBLIC_USERS)("is nothing for production: the token $token", async ({ token }) => {
    const { handler, ran } = endpoint({}, { ...KEY_ENV, PERDURE_TOKEN: token, NODE_ENV: "PRODUCTION" });
    vi.spyOn(console, "error").mockImplementation(() => {});
    const answer = await answerOf(handler(await bring()));
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(String(answer.body.message)).toMatch(/PERDURE_TOKEN.*public.*production/);
    expect(recorder().requests).toEqual([]);
    expect(ran.failureFunction).toBe(0);
  });

  it.each(PUBLIC_USERS)(
    "is nothing for production: a client of one's own with the token $token",
    async ({ token }) => {
      const client = () => new Official({ baseUrl: recorder().url, token, devMode: false });
      const { handler, ran } = endpoint(
        { qstashClient: client() },
        { ...KEY_ENV, PERDURE_DEV: "1", NODE_ENV: "Production" },
      );
      vi.spyOn(console, "error").mockImplementation(() => {});
      const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
      const answer = await answerOf(handler(await bring()));
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(String(answer.body.message)).toMatch(/token of the qstashClient.*public.*production/);
      expect(ran.failureFunction).toBe(0);
      expect(recorder().requests).toEqual([]);
      warn.mockRestore();
    },
  );

  describe("outside of production", () => {
    /** The endpoint of a process that hasn't warned of anything yet. */
    async function warningsOf(options: ServeOptions, env: Record<string, string>): Promise<string[]> {
      vi.resetModules();
      const fresh = await import("../src/index.ts");
      const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
      const all = { PERDURE_URL: recorder().url, PERDURE_TOKEN: "token", ...env };
      const { handler } = fresh.serve(async () => {}, { env: all, ...options });
      const key = env.PERDURE_DEV ? DEV_KEY : (env.PERDURE_CURRENT_SIGNING_KEY ?? options.keys?.current);
      for (let i = 0; i < 2; i++) expect((await handler(await bring(key ? { key } : {}))).status).toBe(200);
      const warnings = warn.mock.calls.map(([text]) => String(text));
      warn.mockRestore();
      return warnings;
    }
    const withToken = (token: string): ServeOptions => ({
      qstashClient: new Official({ baseUrl: recorder().url, token, devMode: false }),
    });
    const once = (name: RegExp) => [expect.stringMatching(name)];

    it.each(PUBLIC_USERS)("the endpoint warns once of the public ones of $token", async (user) => {
      const { token, signingKeys: keys } = user;
      const key = once(/signing key is public.*PERDURE_DEV=1/);
      expect(await warningsOf({}, asEnv(keys))).toEqual(key);
      expect(await warningsOf({ keys }, { NODE_ENV: "staging" })).toEqual(key);
      expect(await warningsOf({}, { ...KEY_ENV, PERDURE_TOKEN: token })).toEqual(
        once(/token \(PERDURE_TOKEN\) is public.*PERDURE_DEV=1/),
      );
      expect(await warningsOf(withToken(token), KEY_ENV)).toEqual(
        once(/token of the qstashClient is public.*PERDURE_DEV=1/),
      );
    });

    it("nothing is said where PERDURE_DEV says that they are meant, or of secrets", async () => {
      expect(await warningsOf(withToken(DEV_CREDENTIALS.token), { PERDURE_DEV: "1" })).toEqual([]);
      expect(await warningsOf(withToken("own"), KEY_ENV)).toEqual([]);
    });
  });

  it("of the client alone opens no door", async () => {
    const port = recorder().url.split(":")[2] ?? "";
    const options = { qstashClient: { devMode: true } };
    const { handler } = endpoint(options, { ...KEY_ENV, PERDURE_TOKEN: "own", PERDURE_DEV_PORT: port });
    expect(await answerOf(handler(await bring({ key: DEV_KEY })))).toMatchObject({ status: 401 });
    expect(await answerOf(handler(await bring()))).toMatchObject({ status: 200 });
    expect(recorder().finished[0]?.headers.authorization).toMatch(/^Bearer eyJ/);
  });

  it("can be off for the client alone", async () => {
    const options = { qstashClient: { devMode: false, baseUrl: recorder().url } };
    const { handler } = endpoint(options, { ...DEV, PERDURE_TOKEN: "own" });
    expect(await answerOf(handler(await bring({ key: DEV_KEY })))).toMatchObject({ status: 200 });
    expect(recorder().finished[0]?.headers.authorization).toBe("Bearer own");
  });

  it.each(["0", "false", ""])("is off with %j", async (value) => {
    const { handler } = endpoint({}, { PERDURE_DEV: value });
    expect(await answerOf(handler(await bring({ key: DEV_KEY })))).toMatchObject({ status: 401 });
  });

  it("with another value is a mistake that is named", async () => {
    const { handler } = endpoint({}, { PERDURE_DEV: "yes" });
    const mail = await bring();
    await expectMisconfigured(() => handler(mail), /got "yes"/);
  });
});
