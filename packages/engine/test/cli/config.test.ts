import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/cli/dev-config.ts";
import { ConfigError } from "../../src/cli/values.ts";

describe("the configuration", () => {
  it("is that of a development server when nothing is said", () => {
    expect(readConfig({}, {})).toEqual({
      host: "127.0.0.1",
      port: 8080,
      db: ".perdure/dev.db",
      logLevel: "info",
      token: DEV_CREDENTIALS.token,
      signingKeys: { current: DEV_CREDENTIALS.currentSigningKey, next: DEV_CREDENTIALS.nextSigningKey },
      browsers: { hosts: ["127.0.0.1"], origins: [], anyAddress: false },
      engine: { timeouts: {}, limits: {}, retention: {} },
    });
  });

  it("says which hosts and origins browsers may name", () => {
    expect(readConfig({ host: "0.0.0.0", allowHost: ["a.test", "b.test"] }, {}).browsers).toEqual({
      hosts: ["0.0.0.0", "a.test", "b.test"],
      origins: [],
      anyAddress: true,
    });
    const flags = { host: "d.test", allowHost: ["e.test"], allowOrigin: ["https://f.test"] };
    expect(readConfig(flags, {}).browsers).toEqual({
      hosts: ["d.test", "e.test"],
      origins: ["https://f.test"],
      anyAddress: false,
    });
  });

  it("comes from the environment, and before that from the command line", () => {
    const env = {
      PERDURE_DEV_PORT: "9000",
      PERDURE_TOKEN: "env",
      PERDURE_CURRENT_SIGNING_KEY: "c",
      PERDURE_NEXT_SIGNING_KEY: "n",
    };
    expect(readConfig({}, env)).toMatchObject({
      port: 9000,
      token: "env",
      signingKeys: { current: "c", next: "n" },
    });
    const flags = {
      port: "0",
      token: "flag",
      currentSigningKey: "fc",
      nextSigningKey: "fn",
      logLevel: "debug",
      host: "::1",
    };
    expect(readConfig(flags, env)).toMatchObject({
      port: 0,
      host: "::1",
      logLevel: "debug",
      token: "flag",
      signingKeys: { current: "fc", next: "fn" },
    });
  });

  it("leaves credentials of the environment alone where clients do", () => {
    const secrets = { PERDURE_TOKEN: "env", PERDURE_CURRENT_SIGNING_KEY: "c", PERDURE_NEXT_SIGNING_KEY: "n" };
    for (const value of ["1", "true"]) {
      expect(readConfig({}, { ...secrets, PERDURE_DEV: value })).toEqual(readConfig({}, {}));
      expect(readConfig({ token: "flag" }, { ...secrets, PERDURE_DEV: value }).token).toBe("flag");
    }
    for (const value of ["0", "false", ""]) {
      expect(readConfig({}, { ...secrets, PERDURE_DEV: value }).token).toBe("env");
    }
  });

  it("may come from QStash's names, a pair of keys from one family of names", () => {
    const env = {
      QSTASH_DEV_PORT: "9000",
      QSTASH_TOKEN: "theirs",
      QSTASH_CURRENT_SIGNING_KEY: "c",
      QSTASH_NEXT_SIGNING_KEY: "n",
    };
    const read = { port: 9000, token: "theirs", signingKeys: { current: "c", next: "n" } };
    expect(readConfig({}, env)).toMatchObject(read);
    expect(readConfig({}, { ...env, PERDURE_TOKEN: "ours" })).toMatchObject({ ...read, token: "ours" });
    expect(() => readConfig({}, { ...env, PERDURE_NEXT_SIGNING_KEY: "ours" })).toThrow("go together");
    expect(readConfig({}, { ...env, QSTASH_DEV: "1" }).token).toBe(DEV_CREDENTIALS.token);
  });

  it("takes what is set to nothing as not set", () => {
    const env = {
      PERDURE_DEV_PORT: "",
      PERDURE_TOKEN: "",
      PERDURE_CURRENT_SIGNING_KEY: "",
      PERDURE_NEXT_SIGNING_KEY: "",
    };
    expect(readConfig({}, env)).toEqual(readConfig({}, {}));
  });

  it.each([
    [{ port: "99999" }, 'got "99999"'],
    [{ port: "x" }, 'got "x"'],
    [{ port: "" }, 'got ""'],
    [{ logLevel: "loud" }, "silent, error, info, debug"],
    [{ currentSigningKey: "sig_a" }, "go together"],
    [{ nextSigningKey: "sig_a" }, "go together"],
  ])("refuses %j", (flags, message) => {
    expect(() => readConfig(flags, {})).toThrow(ConfigError);
    expect(() => readConfig(flags, {})).toThrow(message);
  });
});
