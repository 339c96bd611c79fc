import { gzipSync } from "node:zlib";
import { createDashboard, createEngine, type Dashboard, type DashboardOptions } from "@perdure/engine";
import { describe, expect, it, onTestFinished } from "vitest";
import { READ_ONLY, TOKEN } from "./support/world.ts";

const PAGE = { "Perdure-Dashboard": "1" };
const HOST = "http://engine.test";

function dashboard(options: DashboardOptions = {}): Dashboard {
  const engine = createEngine({
    store: ":memory:",
    token: TOKEN,
    readOnlyTokens: [READ_ONLY],
    signingKeys: { current: "sig_1", next: "sig_2" },
  });
  onTestFinished(() => engine.stop());
  return createDashboard(engine, options);
}

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly callerIp?: string;
  readonly host?: string;
}

function ask(page: Dashboard, path: string, asked: Asked = {}): Promise<Response> {
  const { method = "GET", headers = {}, body, callerIp, host = HOST } = asked;
  const length: Record<string, string> = body === undefined ? {} : { "Content-Length": String(body.length) };
  const init = { method, headers: { ...length, ...headers }, ...(body === undefined ? {} : { body }) };
  return page(new Request(host + path, init), callerIp === undefined ? undefined : { callerIp });
}

const logIn = (page: Dashboard, token: string, more: Asked = {}): Promise<Response> =>
  ask(page, "/dashboard/session", {
    method: "POST",
    body: JSON.stringify({ token }),
    ...more,
    headers: { ...PAGE, ...more.headers },
  });

const cookieOf = (answer: Response): string => answer.headers.get("set-cookie")?.split(";")[0] ?? "";

describe("the document and its files", () => {
  it("is the same for every page below the base path, without inline code", async () => {
    const page = dashboard();
    for (const path of ["/dashboard", "/dashboard/", "/dashboard/runs/wfr_1?at=1"]) {
      const answer = await ask(page, path);
      const html = await answer.text();
      expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
      expect(html).toContain('data-base="/dashboard"');
      expect(html).not.toMatch(/<script(?![^>]* src=)|<style|style=|onload=|https?:/);
    }
  });

  it("allows nothing from elsewhere, nothing inline, and no frame around it", async () => {
    const { headers } = await ask(dashboard(), "/dashboard");
    const policy = headers.get("content-security-policy");
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
  });

  it("sends its files compressed, and for ever valid by their hash", async () => {
    const page = dashboard();
    const html = await (await ask(page, "/dashboard")).text();
    const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = ""]) => path);
    expect(files).toHaveLength(3);
    let bytes = gzipSync(html).length;
    for (const file of files) {
      const answer = await ask(page, file, { headers: { "Accept-Encoding": "gzip, br" } });
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-encoding")).toBe("gzip");
      expect(answer.headers.get("cache-control")).toContain("immutable");
      bytes += (await answer.arrayBuffer()).byteLength;
      const plain = await ask(page, file);
      expect(plain.headers.get("content-encoding")).toBeNull();
    }
    expect(bytes).toBeLessThan(60_000);
    expect((await ask(page, "/dashboard/assets/other.js")).status).toBe(404);
  });

  it("may be mounted anywhere, and answers nothing else", async () => {
    const page = dashboard({ basePath: "/admin/flows" });
    expect((await ask(page, "/admin/flows/runs")).status).toBe(200);
    for (const path of ["/", "/admin", "/admin/flowsome", "/v2/keys"])
      expect((await ask(page, path)).status).toBe(404);
    expect((await ask(dashboard({ basePath: "" }), "/runs")).status).toBe(200);
  });

  it.each(["dashboard", "/dashboard/", '/a"><script>', "/a b", "//evil.example"])(
    "refuses the base path %s",
    (basePath) => {
      expect(() => dashboard({ basePath })).toThrow(TypeError);
    },
  );

  it("takes no other method", async () => {
    expect((await ask(dashboard(), "/dashboard/runs", { method: "POST" })).status).toBe(405);
  });
});

describe("the session", () => {
  it("begins with a token of the engine, in a cookie that scripts and other sites can't use", async () => {
    const answer = await logIn(dashboard(), TOKEN);
    expect(await answer.json()).toMatchObject({ access: "full", canLogOut: true });
    const cookie = answer.headers.get("set-cookie") ?? "";
    for (const part of ["HttpOnly", "SameSite=Strict", "Path=/dashboard"]) expect(cookie).toContain(part);
    expect(cookie).not.toContain("Secure");
    expect(cookie).not.toContain(TOKEN);
    expect(Buffer.from(cookieOf(answer).split("=")[1] ?? "", "base64url").toString()).not.toContain(TOKEN);
  });

  it.each([
    ["https itself", { host: "https://engine.test" }],
    ["a proxy that ends TLS", { headers: { Origin: "https://engine.test", Host: "engine.test" } }],
  ])("is only for TLS behind %s", async (_, more) => {
    expect((await logIn(dashboard(), TOKEN, more)).headers.get("set-cookie")).toContain("; Secure");
  });

  it("acts with the token that it began with, and a read-only one can't act", async () => {
    const page = dashboard();
    for (const [token, access, status] of [
      [TOKEN, "full", 200],
      [READ_ONLY, "read only", 403],
    ] as const) {
      const headers = { ...PAGE, Cookie: cookieOf(await logIn(page, token)) };
      const who = await ask(page, "/dashboard/session", { headers });
      expect(await who.json()).toMatchObject({ access });
      expect((await ask(page, "/dashboard/api/v2/queues", { headers })).status).toBe(200);
      const body = JSON.stringify({ queueName: "q", parallelism: 1 });
      const act = await ask(page, "/dashboard/api/v2/queues", { method: "POST", headers, body });
      expect(act.status).toBe(status);
    }
  });

  it("is nobody's without a cookie, with a forged one, or one of another secret", async () => {
    const page = dashboard({ secret: "one secret" });
    const real = cookieOf(await logIn(page, TOKEN));
    const foreign = cookieOf(await logIn(dashboard({ secret: "another secret" }), TOKEN));
    const forged = `${real.slice(0, -2)}${real.endsWith("AA") ? "BB" : "AA"}`;
    for (const Cookie of [
      "",
      "perdure_session=",
      "perdure_session=x",
      foreign,
      forged,
      `${real.slice(0, 40)}`,
    ]) {
      const headers = { ...PAGE, Cookie };
      expect((await ask(page, "/dashboard/api/v2/queues", { headers })).status).toBe(401);
      expect((await ask(page, "/dashboard/session", { headers })).status).toBe(401);
    }
  });

  it("outlives a restart with the same secret", async () => {
    const secret = "the same secret";
    const Cookie = cookieOf(await logIn(dashboard({ secret }), TOKEN));
    const answer = await ask(dashboard({ secret }), "/dashboard/session", { headers: { ...PAGE, Cookie } });
    expect(answer.status).toBe(200);
  });

  it("ends after twelve hours, and by logging out", async () => {
    let now = Date.now();
    const page = dashboard({ now: () => now });
    const began = await logIn(page, TOKEN);
    const headers = { ...PAGE, Cookie: cookieOf(began) };
    now += 12 * 3_600_000 - 1;
    expect((await ask(page, "/dashboard/session", { headers })).status).toBe(200);
    now += 1;
    expect((await ask(page, "/dashboard/session", { headers })).status).toBe(401);
    const out = await ask(page, "/dashboard/session", { method: "DELETE", headers });
    expect(out.headers.get("set-cookie")).toMatch(/^perdure_session=; .*Max-Age=0/);
  });

  it.each([
    "",
    "{}",
    '{"token":1}',
    '{"token":""}',
    '{"token":"a\\nb"}',
    JSON.stringify({ token: "x".repeat(3000) }),
  ])("refuses the login %j with 400", async (body) => {
    const answer = await ask(dashboard(), "/dashboard/session", { method: "POST", headers: PAGE, body });
    expect(answer.status).toBe(400);
  });

  it("stops guessing, for one address and for many, until the minute is over", async () => {
    let now = Date.now();
    const page = dashboard({ now: () => now });
    for (let at = 0; at < 10; at++)
      expect((await logIn(page, "wrong", { callerIp: "10.0.0.1" })).status).toBe(401);
    const refused = await logIn(page, TOKEN, { callerIp: "10.0.0.1" });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await logIn(page, TOKEN, { callerIp: "10.0.0.2" })).status).toBe(200);
    for (let at = 0; at < 90; at++) await logIn(page, "wrong", { callerIp: `10.1.0.${at}` });
    expect((await logIn(page, TOKEN, { callerIp: "10.0.0.3" })).status).toBe(429);
    now += 60_000;
    expect((await logIn(page, TOKEN, { callerIp: "10.0.0.1" })).status).toBe(200);
  });

  it("needs no login where the app has given a token", async () => {
    const page = dashboard({ token: READ_ONLY });
    const answer = await ask(page, "/dashboard/session", { headers: PAGE });
    expect(await answer.json()).toMatchObject({ access: "read only", canLogOut: false });
  });
});

describe("the audit log", () => {
  interface Entry {
    readonly person?: string;
    readonly action: string;
    readonly target: string;
  }
  const queue = { method: "POST", body: JSON.stringify({ queueName: "q", parallelism: 1 }) };
  const entries = async (page: Dashboard, headers: Record<string, string>): Promise<Entry[]> => {
    const answer = await ask(page, "/dashboard/api/v2/workflows/audit", { headers });
    return ((await answer.json()) as { entries: Entry[] }).entries;
  };

  it("names the user who is logged in, whatever the page says, and tells of events, too", async () => {
    const page = dashboard();
    const began = await logIn(page, TOKEN, {
      body: JSON.stringify({ token: TOKEN, name: " Jürgen:\ud800 " }),
    });
    expect(await began.json()).toMatchObject({ user: "Jürgen:\ufffd" });
    const headers = { ...PAGE, Cookie: cookieOf(began), "Perdure-Person": "Eve" };
    expect((await ask(page, "/dashboard/api/v2/queues", { ...queue, headers })).status).toBe(200);
    expect((await ask(page, "/dashboard/api/v2/notify/paid", { method: "POST", headers })).ok).toBe(true);
    expect(await entries(page, headers)).toMatchObject([
      { person: "Jürgen:\ufffd", action: "POST /v2/notify/:eventId", target: "paid" },
      { person: "Jürgen:\ufffd", action: "POST /v2/queues" },
    ]);
  });

  it("names the user of the app's own login, and none for a user without a name", async () => {
    const user = (request: Request) => request.headers.get("x-user") ?? undefined;
    const page = dashboard({ token: TOKEN, user });
    for (const name of [{ "x-user": "ada@example.com" }, {}])
      await ask(page, "/dashboard/api/v2/queues", { ...queue, headers: { ...PAGE, ...name } });
    const [last, first] = await entries(page, PAGE);
    expect(first).toMatchObject({ person: "ada@example.com" });
    expect(last).not.toHaveProperty("person");
  });
});

describe("requests of other sites", () => {
  const forgeries: [string, Record<string, string>][] = [
    ["without the page's header", {}],
    ["from another origin", { ...PAGE, Origin: "https://evil.example" }],
    ["from another port", { ...PAGE, Origin: "http://engine.test:81" }],
    ["from an opaque origin", { ...PAGE, Origin: "null" }],
    ["from another site", { ...PAGE, "Sec-Fetch-Site": "cross-site" }],
    ["from a sibling site", { ...PAGE, "Sec-Fetch-Site": "same-site" }],
    ["typed into the address bar", { ...PAGE, "Sec-Fetch-Site": "none" }],
  ];

  it.each(forgeries)("are refused %s", async (_, headers) => {
    const page = dashboard();
    const Cookie = cookieOf(await logIn(page, TOKEN));
    const body = JSON.stringify({ queueName: "q", parallelism: 1 });
    for (const path of ["/dashboard/api/v2/queues", "/dashboard/session"]) {
      for (const method of ["GET", "POST"]) {
        const asked = { method, headers: { ...headers, Cookie }, ...(method === "POST" ? { body } : {}) };
        expect((await ask(page, path, asked)).status).toBe(403);
      }
    }
  });

  it("are told from the page's own", async () => {
    const page = dashboard();
    const Cookie = cookieOf(await logIn(page, TOKEN));
    const headers = { ...PAGE, Cookie, Origin: HOST, "Sec-Fetch-Site": "same-origin" };
    expect((await ask(page, "/dashboard/api/v2/queues", { headers })).status).toBe(200);
  });

  it("bring no authorization of their own to the engine", async () => {
    const page = dashboard({ token: READ_ONLY });
    const headers = { ...PAGE, Authorization: `Bearer ${TOKEN}`, Cookie: "perdure_session=x" };
    const body = JSON.stringify({ queueName: "q", parallelism: 1 });
    const answer = await ask(page, "/dashboard/api/v2/queues", { method: "POST", headers, body });
    expect(answer.status).toBe(403);
  });
});
