import { history, KEYS, request, runHeaders, signed } from "@perdure/test-support/delivery";
import { describe, expect, it, vi } from "vitest";
import { Client, type Env, serve } from "../src/index.ts";
import { readVariable, readVariables, SIGNING_KEY_VARIABLES } from "../src/protocol/index.ts";
import { answerOf, expectMisconfigured, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
const OURS = { PERDURE_CURRENT_SIGNING_KEY: "sig_ours", PERDURE_NEXT_SIGNING_KEY: "sig_ours_next" };
const QSTASH = { QSTASH_CURRENT_SIGNING_KEY: "sig_qstash", QSTASH_NEXT_SIGNING_KEY: "sig_qstash_next" };

/** An endpoint whose environment has an engine, and these variables. */
function endpoint(variables: Env) {
  const env = { PERDURE_URL: recorder().url, PERDURE_TOKEN: "token", ...variables };
  return serve((context) => context.run("one", () => 1), { env }).handler;
}

async function statusOf(variables: Env, key: string): Promise<number> {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const { status } = await answerOf(endpoint(variables)(await signed(history({}), runHeaders(), { key })));
  warn.mockRestore();
  return status;
}

describe("a variable", () => {
  it.each([
    [{}, "PERDURE_URL", undefined],
    [{ PERDURE_URL: "a" }, "PERDURE_URL", "a"],
    [{ QSTASH_URL: "b" }, "QSTASH_URL", "b"],
    [{ PERDURE_URL: "a", QSTASH_URL: "b" }, "PERDURE_URL", "a"],
    [{ PERDURE_URL: "", QSTASH_URL: "b" }, "QSTASH_URL", "b"],
  ])("of %j is read as %s", (env: Env, name, value) => {
    expect(readVariable(env, "PERDURE_URL")).toEqual({ name, value });
  });

  it.each([
    ["PERDURE_WORKFLOW_URL", "UPSTASH_WORKFLOW_URL"],
    ["PERDURE_DISABLE_TELEMETRY", "UPSTASH_DISABLE_TELEMETRY"],
    ["PERDURE_DEV_PORT", "QSTASH_DEV_PORT"],
    ["PERDURE_REGION", "QSTASH_REGION"],
    ["PERDURE_TOKEN", "QSTASH_TOKEN"],
  ] as const)("%s is also %s", (name, upstash) => {
    expect(readVariable({ [upstash]: "x" }, name)).toEqual({ name: upstash, value: "x" });
  });

  it("may have a region before either name", () => {
    const env = { US_EAST_1_QSTASH_TOKEN: "us", PERDURE_TOKEN: "none" };
    expect(readVariable(env, "PERDURE_TOKEN", "US_EAST_1")).toEqual({
      name: "US_EAST_1_QSTASH_TOKEN",
      value: "us",
    });
  });

  it("that belongs to another one is read under the names of one family", () => {
    const env = { PERDURE_CURRENT_SIGNING_KEY: "ours", ...QSTASH };
    expect(readVariables(env, SIGNING_KEY_VARIABLES)).toEqual([
      { name: "PERDURE_CURRENT_SIGNING_KEY", value: "ours" },
      { name: "PERDURE_NEXT_SIGNING_KEY", value: undefined },
    ]);
  });
});

describe("an endpoint", () => {
  it.each<[string, Env, string, number]>([
    ["Perdure's keys", OURS, "sig_ours_next", 200],
    ["QStash's keys", QSTASH, "sig_qstash", 200],
    ["Perdure's keys where both are set", { ...OURS, ...QSTASH }, "sig_ours", 200],
    ["no key of QStash where both are set", { ...OURS, ...QSTASH }, "sig_qstash", 401],
    [
      "keys of a region under either name",
      { US_EAST_1_PERDURE_CURRENT_SIGNING_KEY: KEYS.current, US_EAST_1_PERDURE_NEXT_SIGNING_KEY: "n" },
      KEYS.current,
      200,
    ],
  ])("trusts %s", async (_name, env, key, status) => {
    expect(await statusOf(env, key)).toBe(status);
  });

  it("names the pair that isn't whole, and doesn't fill it from the other one", async () => {
    const handler = endpoint({ PERDURE_CURRENT_SIGNING_KEY: "sig_ours", ...QSTASH });
    await expectMisconfigured(
      () => handler(request("{}")),
      /Only one of PERDURE_CURRENT_SIGNING_KEY and PERDURE_NEXT_SIGNING_KEY is set/,
    );
  });

  it.each(["PERDURE_WORKFLOW_URL", "UPSTASH_WORKFLOW_URL"])("names %s in an error", async (name) => {
    const handler = endpoint({ ...OURS, [name]: "nowhere" });
    await expectMisconfigured(() => handler(request("{}")), new RegExp(`baseUrl \\(${name}\\).*"nowhere"`));
  });
});

describe("a client", () => {
  it.each([
    ["PERDURE_URL", "PERDURE_TOKEN"],
    ["QSTASH_URL", "QSTASH_TOKEN"],
  ])("reads %s and %s, and names them where the engine refuses", async (url, token) => {
    vi.stubEnv(url, recorder().url);
    vi.stubEnv(token, "secret");
    recorder().answer = () => ({ status: 401, body: { error: "no" } });
    await expect(new Client().logs()).rejects.toThrow(`Set ${token} and ${url} to those of the engine.`);
    expect(recorder().requests[0]?.headers.authorization).toBe("Bearer secret");
    vi.unstubAllEnvs();
  });

  it("prefers Perdure's names", async () => {
    vi.stubEnv("QSTASH_URL", "https://qstash.example");
    vi.stubEnv("QSTASH_TOKEN", "theirs");
    vi.stubEnv("PERDURE_URL", recorder().url);
    vi.stubEnv("PERDURE_TOKEN", "ours");
    await new Client().logs().catch(() => {});
    expect(recorder().requests[0]?.headers.authorization).toBe("Bearer ours");
    vi.unstubAllEnvs();
  });
});
