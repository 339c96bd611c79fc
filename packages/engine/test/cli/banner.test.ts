import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { appVariables, banner } from "../../src/cli/banner.ts";
import { readConfig } from "../../src/cli/dev-config.ts";

const linesOf = (flags: Parameters<typeof readConfig>[0] = {}, port = 8080): string[] =>
  stripVTControlCharacters(banner({ config: readConfig(flags, {}), port, version: "1.2.3" })).split("\n");

describe("the variables of an app beside perdure dev", () => {
  const variables = (flags: Parameters<typeof readConfig>[0] = {}) =>
    appVariables({ config: readConfig(flags, {}), port: 8099 });

  it("switch development mode on where that means this engine, and leave that of Upstash's SDKs alone", () => {
    for (const flags of [{}, { host: "0.0.0.0" }])
      expect(variables(flags)).toMatchObject({ PERDURE_DEV: "1", PERDURE_DEV_PORT: "8099" });
    expect(variables()).not.toHaveProperty("QSTASH_DEV");
    expect(variables()).toMatchObject({
      PERDURE_URL: "http://127.0.0.1:8099",
      QSTASH_URL: "http://127.0.0.1:8099",
    });
    const own = { currentSigningKey: "sig_mine_1", nextSigningKey: "sig_mine_2" };
    for (const flags of [{ token: "a token of my own" }, own, { host: "192.0.2.7" }])
      expect(variables(flags)).not.toHaveProperty("PERDURE_DEV");
  });
});

describe("the banner of perdure dev", () => {
  it("says where the engine runs, what to paste, and how to start a run", () => {
    const { token, currentSigningKey, nextSigningKey } = DEV_CREDENTIALS;
    expect(linesOf()).toEqual([
      "Perdure engine running at http://127.0.0.1:8080",
      "dashboard http://127.0.0.1:8080/dashboard",
      "version  1.2.3",
      `database ${join(process.cwd(), ".perdure/dev.db")}`,
      "",
      "For your app's environment, PERDURE_DEV=1, or:",
      "PERDURE_URL=http://127.0.0.1:8080",
      `PERDURE_TOKEN=${token}`,
      `PERDURE_CURRENT_SIGNING_KEY=${currentSigningKey}`,
      `PERDURE_NEXT_SIGNING_KEY=${nextSigningKey}`,
      "The SDKs of Upstash read the same values from QSTASH_URL, QSTASH_TOKEN …",
      "",
      "To start a run of a workflow that is served at http://localhost:3000/order:",
      "curl http://127.0.0.1:8080/v2/trigger/http://localhost:3000/order \\",
      `  -H "Authorization: Bearer ${token}" \\`,
      `  -d '{"id":1}'`,
      expect.stringMatching(/^docs {5}\S+README\.md$/),
      "",
    ]);
  });

  it("says that a database is in memory", () => {
    expect(linesOf({ db: ":memory:" })).toContain("database in memory, gone when the engine stops");
  });

  it("has nothing to paste for an app that starts beside the engine", () => {
    const told = banner({ config: readConfig({}, {}), port: 8080, version: "1.2.3", hasApp: true });
    expect(told).toContain("running at");
    expect(told).not.toContain("PERDURE_TOKEN=");
  });

  it("offers PERDURE_DEV=1 only where that means this engine", () => {
    for (const lines of [linesOf({}, 8081), linesOf({ token: "a token of my own" })])
      expect(lines.filter((line) => line.includes("PERDURE_DEV"))).toEqual([]);
  });

  it("shows no secret, and a command that has it from the environment", () => {
    const lines = linesOf({
      token: "a token of my own",
      currentSigningKey: "sig_secret_1",
      nextSigningKey: "sig_secret_2",
    });
    expect(lines.join("\n")).not.toMatch(/my own|secret/);
    expect(lines).toContain('  -H "Authorization: Bearer $PERDURE_TOKEN" \\');
  });

  it("is no wider than 80 columns, but for public secrets and the folder", () => {
    const wide = linesOf().filter((line) => line.length > 80);
    for (const line of wide) expect(line).toMatch(/^(?:PERDURE_TOKEN=|database|docs| {2}-H "Authorization)/);
  });
});
