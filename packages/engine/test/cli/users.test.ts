import { PUBLIC_USERS } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/cli/dev-config.ts";
import { beside, devTenants, userOf } from "../../src/cli/users.ts";

describe("the users of a development server", () => {
  it("are the public ones, each with a file beside the first one's, made when it is needed", () => {
    const tenants = devTenants(readConfig({ db: "data/my.db" }, {}));
    expect(tenants.map(({ user, store, lazy = false }) => [user, store, lazy])).toEqual([
      ["defaultUser", "data/my.db", false],
      ["testUser1", "data/my.testUser1.db", true],
      ["testUser2", "data/my.testUser2.db", true],
      ["testUser3", "data/my.testUser3.db", true],
    ]);
    expect(tenants.map(({ token }) => token)).toEqual(PUBLIC_USERS.map(({ token }) => token));
    const keys = tenants.flatMap(({ signingKeys }) => [signingKeys.current, signingKeys.next]);
    expect(new Set(keys).size).toBe(8);
  });

  it.each([{ token: "my-own" }, { currentSigningKey: "sig_a", nextSigningKey: "sig_b" }])(
    "are nobody but their owner with %j",
    (flags) => {
      expect(devTenants(readConfig(flags, {}))).toHaveLength(1);
    },
  );

  it("may be any of the public ones in the first place", () => {
    const [, second] = PUBLIC_USERS;
    const { token = "", signingKeys } = second ?? {};
    const flags = {
      token,
      currentSigningKey: signingKeys?.current ?? "",
      nextSigningKey: signingKeys?.next ?? "",
    };
    expect(devTenants(readConfig(flags, {})).map(({ user }) => user)).toEqual([
      "testUser1",
      "defaultUser",
      "testUser2",
      "testUser3",
    ]);
  });

  it("are called as their tokens say", () => {
    expect(userOf(Buffer.from('{"UserID":"ann"}').toString("base64"))).toBe("ann");
    for (const token of [
      "plain",
      "",
      Buffer.from('{"UserID":1}').toString("base64"),
      Buffer.from("null").toString("base64"),
    ]) {
      expect(userOf(token)).toBe("default");
    }
  });

  it("have files of names that are fit for files", () => {
    expect(beside("a.db", "x/../y")).toBe("a.x%2F..%2Fy.db");
    expect(beside(":memory:", "x")).toBe(":memory:");
  });
});
