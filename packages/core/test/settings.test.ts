import { history, KEYS, runHeaders, signed } from "@perdure/test-support/delivery";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Client, type ServeOptions, serve } from "../src/index.ts";
import { answerOf, expectMisconfigured, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
const url = "https://app.example.com/api/wf";

afterEach(() => vi.unstubAllEnvs());

describe("a client without usable settings", () => {
  const REQUESTS: [string, (client: Client) => Promise<unknown>][] = [
    ["trigger", (client) => client.trigger({ url })],
    ["cancel", (client) => client.cancel("wfr_1")],
    ["notify", (client) => client.notify({ eventId: "e" })],
    ["getWaiters", (client) => client.getWaiters({ eventId: "e" })],
    ["logs", (client) => client.logs()],
    ["dlq.list", (client) => client.dlq.list()],
    ["dlq.resume", (client) => client.dlq.resume("1-0")],
    ["dlq.retryRollbacks", (client) => client.dlq.retryRollbacks({ dlqId: "1-0" })],
    ["runs.wait", (client) => client.runs.wait("wfr_1")],
    ["schedules.create", (client) => client.schedules.create({ url, cron: "* * * * *" })],
    ["schedules.pause", (client) => client.schedules.pause("s")],
  ];

  it.each(REQUESTS)("is made, and %s says what is wrong", async (_name, request) => {
    const unnamed = new Client({ token: "" });
    await expect(request(unnamed)).rejects.toMatchObject({
      code: "missing_token",
      message: expect.stringContaining("PERDURE_TOKEN"),
    });
    const lost = new Client({ baseUrl: "127.0.0.1:9", token: "t" });
    const error = await request(lost).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toMatch(/^TypeError: baseUrl \(PERDURE_URL\) must be .*got "127\.0\.0\.1:9"/);
  });

  it("asks nobody, and doesn't try again", async () => {
    const asked = vi.spyOn(globalThis, "fetch");
    await expect(new Client({ baseUrl: "localhost", token: "t" }).trigger({ url })).rejects.toThrow(
      TypeError,
    );
    await expect(new Client({ token: "a\nb" }).trigger({ url })).rejects.toThrow(TypeError);
    expect(asked).not.toHaveBeenCalled();
    asked.mockRestore();
  });

  it("doesn't show the token", async () => {
    const error = await new Client({ token: "secret \n" }).logs().catch(String);
    expect(error).toMatch(/^TypeError: token \(PERDURE_TOKEN\) must be/);
    expect(error).not.toContain("secret");
  });

  it("names the variables of its region", async () => {
    vi.stubEnv("PERDURE_REGION", "EU_CENTRAL_1");
    await expect(new Client().logs()).rejects.toThrow(/EU_CENTRAL_1_PERDURE_TOKEN.*EU_CENTRAL_1_PERDURE_URL/);
    vi.stubEnv("EU_CENTRAL_1_PERDURE_TOKEN", "t");
    vi.stubEnv("EU_CENTRAL_1_PERDURE_URL", "qstash.example");
    await expect(new Client().logs()).rejects.toThrow(/EU_CENTRAL_1_PERDURE_URL.*got "qstash\.example"/);
  });

  it("works once the environment has them", async () => {
    vi.stubEnv("PERDURE_URL", "nowhere");
    const client = new Client();
    await expect(client.trigger({ url })).rejects.toMatchObject({ code: "missing_token" });
    vi.stubEnv("PERDURE_TOKEN", "late");
    await expect(client.trigger({ url })).rejects.toThrow(/PERDURE_URL/);
    vi.stubEnv("PERDURE_URL", recorder().url);
    await client.trigger({ url });
    expect(recorder().requests[0]?.headers.authorization).toBe("Bearer late");
  });
});

describe("an endpoint without usable settings", () => {
  const usable = () => ({
    PERDURE_URL: recorder().url,
    PERDURE_TOKEN: "token",
    PERDURE_CURRENT_SIGNING_KEY: KEYS.current,
    PERDURE_NEXT_SIGNING_KEY: KEYS.next,
  });
  const bring = () => signed(history({}), runHeaders());

  it.each<[string, Record<string, string | undefined>, ServeOptions, RegExp]>([
    ["a URL", {}, { url: "127.0.0.1:9" }, /TypeError: url must be .*got "127\.0\.0\.1:9"/],
    ["a base URL", {}, { baseUrl: "ftp://a" }, /TypeError: baseUrl \(PERDURE_WORKFLOW_URL\) must be/],
    [
      "a base URL",
      { PERDURE_WORKFLOW_URL: "app" },
      {},
      /baseUrl \(PERDURE_WORKFLOW_URL\) must be .*got "app"/,
    ],
    ["a key", {}, { keys: { current: "", next: "n" } }, /keys\.current \(PERDURE_CURRENT_SIGNING_KEY\)/],
    [
      "a key",
      { PERDURE_CURRENT_SIGNING_KEY: "sig_1\n" },
      {},
      /PERDURE_CURRENT_SIGNING_KEY must be visible ASCII/,
    ],
    ["a key", { PERDURE_NEXT_SIGNING_KEY: '"sig_1"' }, {}, /PERDURE_NEXT_SIGNING_KEY must be .* and quotes/],
    ["a key", {}, { keys: { current: "c\n", next: "n" } }, /keys\.current .* must be visible ASCII/],
    ["a key", {}, { keys: { current: "c", next: "" } }, /keys\.next \(PERDURE_NEXT_SIGNING_KEY\)/],
  ])(
    "is made, and says with the first request what is wrong with %s",
    async (_name, env, options, complaint) => {
      const { handler } = serve(() => 1, { env: { ...usable(), ...env }, ...options });
      await expectMisconfigured(async () => handler(await bring()), complaint);
    },
  );

  it.each([
    ["PERDURE_TOKEN", undefined, 500],
    ["PERDURE_URL", "nowhere", 500],
    ["PERDURE_WORKFLOW_URL", "nowhere", 500],
    ["PERDURE_NEXT_SIGNING_KEY", undefined, 500],
  ])("works once %s is mended", async (name, broken, status) => {
    const told = vi.spyOn(console, "error").mockImplementation(() => {});
    const env: Record<string, string | undefined> = { ...usable(), [name]: broken };
    const { handler } = serve(() => 1, { env });
    expect(await answerOf(handler(await bring()))).toMatchObject({ status });
    if (name === "PERDURE_WORKFLOW_URL") env[name] = "https://app.example.com";
    else env[name] = Reflect.get(usable(), name);
    expect(await answerOf(handler(await bring()))).toMatchObject({ status: 200 });
    told.mockRestore();
  });

  it("lets nobody in without keys, and whoever has them once they are there", async () => {
    const told = vi.spyOn(console, "warn").mockImplementation(() => {});
    const env: Record<string, string> = { PERDURE_URL: recorder().url, PERDURE_TOKEN: "token" };
    const { handler } = serve(() => 1, { env });
    expect(await answerOf(handler(await bring()))).toMatchObject({ status: 401 });
    Object.assign(env, usable());
    expect(await answerOf(handler(await bring()))).toMatchObject({ status: 200 });
    const forged = await signed(history({}), runHeaders(), { key: "sig_other" });
    expect(await answerOf(handler(forged))).toMatchObject({ status: 401 });
    told.mockRestore();
  });

  it("takes an empty variable for one that isn't set", async () => {
    const { handler } = serve(() => 1, {
      env: { ...usable(), PERDURE_WORKFLOW_URL: "" },
      url: "",
      baseUrl: "",
    });
    expect(await answerOf(handler(await bring()))).toMatchObject({ status: 200 });
  });
});
