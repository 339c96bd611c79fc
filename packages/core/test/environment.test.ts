import { readFileSync } from "node:fs";
import { history, KEYS, request, runHeaders, signed, URL as WORKFLOW } from "@perdure/test-support/delivery";
import { describe, expect, it, vi } from "vitest";
import { type ServeOptions, serve, type WorkflowFunction } from "../src/index.ts";
import { VERSION } from "../src/util/version.ts";
import { answerOf, closed, deliver, expectMisconfigured, open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();

describe("several regions", () => {
  const env = () => ({
    PERDURE_REGION: "eu-central-1",
    EU_CENTRAL_1_PERDURE_URL: recorder().url,
    EU_CENTRAL_1_PERDURE_TOKEN: "eu",
    EU_CENTRAL_1_PERDURE_CURRENT_SIGNING_KEY: "sig_eu",
    EU_CENTRAL_1_PERDURE_NEXT_SIGNING_KEY: "sig_eu_next",
    US_EAST_1_PERDURE_URL: recorder().url,
    US_EAST_1_PERDURE_TOKEN: "us",
    US_EAST_1_PERDURE_CURRENT_SIGNING_KEY: "sig_us",
    US_EAST_1_PERDURE_NEXT_SIGNING_KEY: "sig_us_next",
  });

  it.each([
    ["us-east-1", "sig_us", "us"],
    ["US_EAST_1", "sig_us_next", "us"],
    ["eu-central-1", "sig_eu", "eu"],
    [undefined, "sig_eu", "eu"],
    ["", "sig_eu", "eu"],
  ])("%s is verified by the key %s and answered to by the token %s", async (region, key, token) => {
    const { handler } = serve((context) => context.run("one", () => 1), { env: env() });
    const headers = runHeaders(region ? { "Upstash-Region": region } : {});
    expect(await answerOf(handler(await signed(history({}), headers, { key })))).toMatchObject({
      status: 200,
    });
    expect(recorder().requests[0]?.headers.authorization).toBe(`Bearer ${token}`);
    expect(await answerOf(handler(await signed(history({}), headers, { key: KEYS.current })))).toMatchObject({
      status: 401,
    });
  });

  it("of which none is known are a mistake that is named", async () => {
    const { handler } = serve(() => 1, { env: { PERDURE_REGION: "mars" } });
    const mail = await signed(history({}), runHeaders());
    await expectMisconfigured(() => handler(mail), /got "mars"/);
  });
});

describe("what the engine is told of us", () => {
  const telemetry = async (options: ServeOptions, env = {}) => {
    const all = { PERDURE_URL: recorder().url, PERDURE_TOKEN: "token", ...env };
    await deliver(
      open(recorder(), (context) => context.run("one", () => 1), { env: all, ...options }),
      [],
    );
    return Object.entries(recorder().published[0]?.headers ?? {}).filter(([name]) =>
      name.startsWith("upstash-telemetry"),
    );
  };

  it("is package and runtime", async () => {
    expect(await telemetry({})).toEqual([
      ["upstash-telemetry-sdk", `@perdure/core@${VERSION}`],
      ["upstash-telemetry-runtime", expect.stringContaining("Node.js")],
    ]);
  });

  it.each<[string, ServeOptions, object]>([
    ["an option", { disableTelemetry: true }, {}],
    ["the environment", {}, { PERDURE_DISABLE_TELEMETRY: "1" }],
    ["the client's settings", { qstashClient: { enableTelemetry: false } }, {}],
  ])("is nothing, by %s", async (_name, options, env) => {
    expect(await telemetry(options, env)).toEqual([]);
  });

  it("is the version of the package", () => {
    const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    expect(VERSION).toBe(manifest.version);
  });
});

describe("headers of the client", () => {
  const qstashClient = { headers: { "X-Bypass": "b" } };
  const bypass = () => recorder().published.map(({ headers }) => headers["upstash-forward-x-bypass"]);
  const step: WorkflowFunction = (context) => context.run("one", () => 1);

  it.each<[string, ServeOptions, string | undefined]>([
    ["by url", { url: WORKFLOW }, "b"],
    ["by baseUrl", { baseUrl: "https://app.example.com" }, "b"],
    ["by allowedHosts", { allowedHosts: ["other.example", "app.example.com"] }, "b"],
    ["by the request alone", {}, undefined],
    ["by a proxy alone", { trustProxy: true }, undefined],
  ])("go to a host that is known %s: %j", async (_name, options, sent) => {
    const handler = open(recorder(), step, { qstashClient, ...options });
    await deliver(handler, []);
    await handler(request("{}"));
    expect(bypass()).toEqual([sent, sent]);
  });

  it("go to the host that a token names", async () => {
    const handler = closed(recorder(), step, { qstashClient });
    await handler(await signed(history({}), runHeaders(), {}, "https://proxy.internal/api/wf"));
    expect(recorder().published[0]?.destination).toBe(WORKFLOW);
    expect(bypass()).toEqual(["b"]);
  });

  it.each<[string, ServeOptions]>([
    ["signed", {}],
    ["configured", { url: WORKFLOW }],
    ["allowed", { allowedHosts: ["app.example.com"] }],
  ])("never go to a third party that is called, for a run at a host that is %s", async (_name, options) => {
    const handler = closed(
      recorder(),
      (context) => context.call("ask", { url: "https://third.example/", method: "POST" }),
      { qstashClient, ...options },
    );
    await handler(await signed(history({}), runHeaders()));
    expect(recorder().published[0]?.destination).toBe("https://third.example/");
    expect(bypass()).toEqual([undefined]);
  });
});

describe("a start that nobody has signed", () => {
  const options = JSON.stringify({
    retries: 999,
    failureUrl: "https://evil.example/",
    flowControl: { key: "shared", rate: 1 },
  });

  it.each<[string, ServeOptions]>([
    ["an open door", {}],
    ["a hook", { authorize: () => true }],
  ])("brings no options for its run through %s", async (_name, door) => {
    const told = vi.spyOn(console, "warn").mockImplementation(() => {});
    const handler = open(recorder(), () => 1, { retries: 2, ...door });
    expect((await handler(request("{}", { "Perdure-Run-Options": options }))).status).toBe(200);
    const sent = recorder().published[0]?.headers ?? {};
    expect(sent["upstash-retries"]).toBe("2");
    expect(sent["upstash-failure-callback"]).toBe(WORKFLOW);
    expect(Object.keys(sent).filter((name) => name.includes("flow-control"))).toEqual([]);
    told.mockRestore();
  });

  it("hands none of the engine's own headers on to its run", async () => {
    const told = vi.spyOn(console, "warn").mockImplementation(() => {});
    const forged = { "Perdure-Max-Retries": "9", "Perdure-Rollback": "done", "Upstash-Retried": "3" };
    expect((await open(recorder(), () => 1)(request("{}", forged))).status).toBe(200);
    const names = Object.keys(recorder().published[0]?.headers ?? {});
    expect(names.filter((name) => /forward-(?:perdure|upstash-retried)/.test(name))).toEqual([]);
    told.mockRestore();
  });

  it("with a signature brings them", async () => {
    await closed(recorder(), () => 1)(await signed("{}", { "Perdure-Run-Options": options }));
    expect(recorder().published[0]?.headers).toMatchObject({
      "upstash-retries": "999",
      "upstash-flow-control-key": "shared",
    });
  });

  it.each<[string, string, number]>([
    ["app.example.com", "https://app.example.com/api/wf", 200],
    ["APP.example.com", "https://app.example.com:8443/api/wf", 200],
    ["app.example.com:8443", "https://app.example.com:8443/api/wf", 200],
    ["app.example.com:8443", "https://app.example.com/api/wf", 403],
    ["app.example.com", "https://evil.example/api/wf", 403],
    ["app.example.com", "https://app.example.com.evil.example/api/wf", 403],
  ])("is for an allowed host: %s, %s", async (host, url, status) => {
    const told = vi.spyOn(console, "warn").mockImplementation(() => {});
    const handler = open(recorder(), () => 1, { allowedHosts: [host] });
    expect((await handler(request("{}", {}, url))).status).toBe(status);
    expect(recorder().published).toHaveLength(status === 200 ? 1 : 0);
    told.mockRestore();
  });

  it("is told of once, where nothing says which hosts are the endpoint's", async () => {
    vi.resetModules();
    const { serve: fresh } = await import("../src/index.ts");
    const told = vi.spyOn(console, "warn").mockImplementation(() => {});
    const env = { PERDURE_URL: recorder().url, PERDURE_TOKEN: "token" };
    const start = (options: ServeOptions) => fresh(() => 1, { env, ...options }).handler(request("{}"));
    for (const options of [{ url: WORKFLOW }, { baseUrl: WORKFLOW }, { allowedHosts: ["app.example.com"] }])
      await start({ verify: "off", ...options });
    expect(told).not.toHaveBeenCalled();
    for (let at = 0; at < 2; at++) await start({ authorize: () => true });
    expect(told.mock.calls).toEqual([[expect.stringContaining("allowedHosts")]]);
    told.mockRestore();
  });
});
