import { describe, expect, it } from "vitest";
import { readEngineOptions } from "../../src/cli/engine-options.ts";
import { ConfigError } from "../../src/cli/values.ts";
import { namedOptions, resolveOptions } from "../../src/rules/engine-options.ts";

const NONE = { timeouts: {}, limits: {}, retention: {} };

describe("the numbers of an engine's options", () => {
  it("come from --set, before that from the environment, and before that from the file", () => {
    const file = { concurrency: 1, limits: { retries: 1 }, timeouts: { delivery: "1s" } };
    const env = { PERDURE_LIMITS_RETRIES: "2", PERDURE_CONCURRENCY: "2", PERDURE_TIMEOUTS_DELIVERY: "" };
    const set = ["limits.retries=3"];
    expect(readEngineOptions([], {}, {})).toEqual(NONE);
    expect(readEngineOptions(set, env, file)).toEqual({
      ...NONE,
      concurrency: 2,
      limits: { retries: 3 },
      timeouts: { delivery: 1000 },
    });
  });

  it("are flags and names, too", () => {
    const env = { PERDURE_TRUST_PROXY: "true" };
    expect(readEngineOptions(["region=EU-CENTRAL-1"], env, { region: "US-EAST-1" })).toEqual({
      ...NONE,
      region: "EU-CENTRAL-1",
      trustProxy: true,
    });
    expect(readEngineOptions([], { PERDURE_TRUST_PROXY: "false" }, { trustProxy: true }).trustProxy).toBe(
      false,
    );
    expect(() => resolveOptions({ region: "a b" })).toThrow(
      "region must be a name such as EU-CENTRAL-1; got a b.",
    );
  });

  it.each([
    [["trustProxy=yes"], {}, '--set trustProxy must be true or false; got "yes"'],
    [[], { PERDURE_REGION: "a b" }, 'PERDURE_REGION must be a name such as EU-CENTRAL-1; got "a b"'],
    [
      ["limits.retry=3"],
      {},
      '--set must be an option of the engine and its value, such as limits.retries=20; got "limits.retry=3"',
    ],
    [
      [],
      { PERDURE_LIMITS_RETRY: "3", PERDURE_LIMITS_OTHER: "" },
      "PERDURE_LIMITS_RETRY is no option of the engine. The options are PERDURE_LIMITS_REQUEST_BYTES, ",
    ],
    [["limits"], {}, 'got "limits"'],
    [["concurrency=0"], {}, '--set concurrency must be a whole number from 1 on; got "0"'],
    [["limits.retries=-1"], {}, '--set limits.retries must be a whole number from 0 on; got "-1"'],
    [
      ["timeouts.lookup=0s"],
      {},
      '--set timeouts.lookup must be a duration such as "30s", more than 0; got "0s"',
    ],
    [
      [],
      { PERDURE_RETENTION_LOGS: "soon" },
      'PERDURE_RETENTION_LOGS must be a duration such as "30s"; got "soon"',
    ],
  ])("are refused: %j %j", (set, env, message) => {
    expect(() => readEngineOptions(set, env, {})).toThrow(ConfigError);
    expect(() => readEngineOptions(set, env, {})).toThrow(message);
  });

  it("are all within their own ranges by default", () => {
    const all = resolveOptions({});
    expect(() => resolveOptions(JSON.parse(JSON.stringify(all)))).not.toThrow();
    for (const [name, row] of namedOptions()) {
      const value = name.split(".").reduce<unknown>((at, part) => Object(at)[part], all);
      const type = row.is === "flag" ? "boolean" : row.is === "name" ? "string" : "number";
      expect([name, typeof value]).toEqual([name, row.otherwise === undefined ? type : "undefined"]);
    }
  });

  it("give a plain message no more time than a delivery has, unless the message's own is set", () => {
    expect(resolveOptions({ timeouts: { delivery: 1000 } }).timeouts.message).toBe(1000);
    expect(resolveOptions({ timeouts: { delivery: 1000, message: 2000 } }).timeouts.message).toBe(2000);
  });
});
