import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type ServeOptions, serve } from "../src/index.ts";
import { VERSION } from "../src/kernel/version.ts";
import { history, KEYS, runHeaders, signed } from "./support/delivery.ts";
import { answerOf, deliver, expectMisconfigured, open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();

describe("several regions", () => {
  const env = () => ({
    QSTASH_REGION: "eu-central-1",
    EU_CENTRAL_1_QSTASH_URL: recorder().url,
    EU_CENTRAL_1_QSTASH_TOKEN: "eu",
    EU_CENTRAL_1_QSTASH_CURRENT_SIGNING_KEY: "sig_eu",
    EU_CENTRAL_1_QSTASH_NEXT_SIGNING_KEY: "sig_eu_next",
    US_EAST_1_QSTASH_URL: recorder().url,
    US_EAST_1_QSTASH_TOKEN: "us",
    US_EAST_1_QSTASH_CURRENT_SIGNING_KEY: "sig_us",
    US_EAST_1_QSTASH_NEXT_SIGNING_KEY: "sig_us_next",
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
    const { handler } = serve(() => 1, { env: { QSTASH_REGION: "mars" } });
    const mail = await signed(history({}), runHeaders());
    await expectMisconfigured(() => handler(mail), /got "mars"/);
  });
});

describe("what the engine is told of us", () => {
  const telemetry = async (options: ServeOptions, env = {}) => {
    const all = { QSTASH_URL: recorder().url, QSTASH_TOKEN: "token", ...env };
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
    ["the environment", {}, { UPSTASH_DISABLE_TELEMETRY: "1" }],
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
  it("go along with each message", async () => {
    const qstashClient = { headers: { "X-Bypass": "b" } };
    await deliver(
      open(recorder(), (context) => context.run("one", () => 1), { qstashClient }),
      [],
    );
    expect(recorder().published[0]?.headers).toMatchObject({ "upstash-forward-x-bypass": "b" });
  });
});
