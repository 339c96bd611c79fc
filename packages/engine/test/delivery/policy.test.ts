import { HEADER } from "@perdure/core/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createPolicy, type DestinationRules } from "../../src/delivery/policy.ts";
import { APP, ofRun, result, until, type World, world } from "../harness.ts";
import { resolver, useKit } from "./wire/kit.ts";

const DEFAULT = createPolicy({});

describe("the policy on destinations", () => {
  it.each([
    ["http://127.0.0.1/", "loopback address: 127.0.0.1"],
    ["http://127.8.9.1:99/x", "loopback"],
    ["http://2130706433/", "loopback address: 127.0.0.1"],
    ["http://0x7f.1/", "loopback"],
    ["http://0177.0.0.1/", "loopback"],
    ["http://localhost:3000/", "loopback"],
    ["http://LocalHost./", "loopback"],
    ["http://app.localhost/", "loopback"],
    ["http://[::1]/", "loopback"],
    ["http://[::ffff:127.0.0.1]/", "loopback address: 127.0.0.1"],
    ["http://[::ffff:a9fe:a9fe]/", "link-local address: 169.254.169.254"],
    ["http://0.0.0.0/", "unspecified"],
    ["http://[::]/", "unspecified"],
    ["http://10.1.2.3/", "private"],
    ["http://172.16.0.1/", "private"],
    ["http://192.168.1.1/", "private"],
    ["http://100.64.0.1/", "private"],
    ["http://100.100.100.200/", "private"],
    ["http://169.254.169.254/latest/meta-data", "link-local"],
    ["http://168.63.129.16/", "metadata"],
    ["http://192.0.0.192/", "reserved"],
    ["http://[fd00:ec2::254]/", "private"],
    ["http://[fe80::1]/", "link-local"],
    ["http://[64:ff9b::7f00:1]/", "rfc6052"],
    ["http://[64:ff9b:1::7f00:1]/", "rfc6052"],
    ["http://[::7f00:1]/", "reserved"],
    ["http://[::127.0.0.1]/", "reserved"],
    ["http://[::ffff:0:127.0.0.1]/", "rfc6145"],
    ["http://[4000::1]/", "reserved"],
    ["http://[2002:7f00:1::]/", "6to4"],
    ["http://224.0.0.1/", "multicast"],
    ["http://255.255.255.255/", "broadcast"],
  ])("refuses %s", (url, why) => {
    expect(DEFAULT.refusal(url)).toContain(why);
  });

  it.each(["http://8.8.8.8/", "https://[2606:4700::1111]/", "https://app.example.com/x?y=1"])(
    "lets %s pass",
    (url) => expect(DEFAULT.refusal(url)).toBeUndefined(),
  );

  it("refuses every address of a private range, in whatever way it is written", () => {
    const octet = fc.integer({ min: 0, max: 255 });
    const base = fc.constantFrom<[number, number]>([10, 0], [127, 0], [192, 168], [169, 254], [172, 16]);
    const write = fc.constantFrom(
      ([a, b, c, d]: number[]) => `${a}.${b}.${c}.${d}`,
      ([a, b, c, d]: number[]) =>
        String((((a as number) * 256 + (b as number)) * 256 + (c as number)) * 256 + (d as number)),
      (all: number[]) => all.map((one) => `0${one.toString(8)}`).join("."),
      (all: number[]) => all.map((one) => `0x${one.toString(16)}`).join("."),
      ([a, b, c, d]: number[]) => `[::ffff:${a}.${b}.${c}.${d}]`,
    );
    fc.assert(
      fc.property(base, octet, octet, write, ([a, b], c, d, text) => {
        expect(DEFAULT.refusal(`http://${text([a, b, c, d])}/`)).toBeDefined();
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  const rules: DestinationRules = {
    allow: ["10.0.0.0/8", "::1", "internal.test", "*.svc.local"],
    deny: [
      "10.6.6.6",
      "8.8.0.0/16",
      "::ffff:1.2.0.0/112",
      "::ffff:1.3.3.3",
      "evil.example",
      "*.evil.example",
    ],
  };
  it.each([
    ["http://10.1.1.1/", true],
    ["http://[::ffff:10.1.1.1]/", true],
    ["http://10.6.6.6/", false],
    ["http://192.168.0.1/", false],
    ["http://[::1]/", true],
    ["http://8.8.8.8/", false],
    ["http://1.2.3.4/", false],
    ["http://[::ffff:1.2.3.4]/", false],
    ["http://1.3.3.3/", false],
    ["http://1.3.3.4/", true],
    ["http://9.9.9.9/", true],
    ["http://evil.example/", false],
    ["http://www.evil.example/", false],
    ["http://notevil.example/", true],
  ])("with exceptions: %s passes: %s", (url, passes) => {
    expect(createPolicy(rules).refusal(url) === undefined).toBe(passes);
  });

  it("judges what a name means, and trusts the names that it was told to", () => {
    const policy = createPolicy(rules);
    expect(DEFAULT.addressRefusal("rebound.test", "127.0.0.1")).toContain("loopback");
    expect(DEFAULT.addressRefusal("rebound.test", "::ffff:10.0.0.1")).toContain("private");
    expect(DEFAULT.addressRefusal("fine.test", "9.9.9.9")).toBeUndefined();
    expect(policy.addressRefusal("internal.test", "192.168.1.1")).toBeUndefined();
    expect(policy.addressRefusal("INTERNAL.test.", "192.168.1.1")).toBeUndefined();
    expect(policy.addressRefusal("a.svc.local", "192.168.1.1")).toBeUndefined();
    expect(policy.addressRefusal("internal.test", "10.6.6.6")).toContain("denied");
  });

  it.each(["10.0.0.0/99", "http://x/", "a b", "", "*."])("can't read %j", (entry) => {
    expect(() => createPolicy({ allow: [entry] })).toThrow(TypeError);
    expect(() => createPolicy({ deny: [entry] })).toThrow(`"${entry}"`);
  });
});

describe("an engine with a policy", () => {
  const refused = async (w: World, path: string, ask: object): Promise<void> => {
    const answer = await w.ask("POST", path, ask);
    expect(answer.status).toBe(400);
    expect(answer.body.error).toContain("endpoint resolves to a loopback address");
  };

  it("refuses, before anything is stored, what it could never deliver", async () => {
    const w = world(undefined, { destinations: {} });
    await refused(w, "/v2/publish/http://127.0.0.1:1/", {});
    await refused(w, "/v2/trigger/http://[::1]/", {});
    await refused(w, "/v2/publish/https://a.test/", {
      headers: { [HEADER.failureCallback]: "http://localhost/" },
    });
    const items = [{ destination: "http://127.0.0.1/" }, { destination: "https://a.test/" }];
    const { body } = await w.ask("POST", "/v2/batch", { body: JSON.stringify(items) });
    expect(body).toEqual([
      { error: expect.stringContaining("loopback") },
      { messageId: expect.any(String), url: "https://a.test/" },
    ]);
    await w.start("wfr_1");
    const wait = { url: "http://127.0.0.1/", timeout: "1h", step: result(1, { stepType: "Wait" }) };
    await refused(w, "/v2/wait/e", { headers: ofRun("wfr_1", "false"), body: JSON.stringify(wait) });
    await w.engine.idle();
    expect(new Set(w.calls.map(({ url }) => url))).toEqual(new Set(["https://a.test/", APP]));
  });

  it("lets anything pass without one", async () => {
    const w = world();
    expect(await w.ask("POST", "/v2/publish/http://127.0.0.1:1/")).toMatchObject({ status: 200 });
    await w.engine.idle();
    expect(w.calls).toHaveLength(1);
  });
});

describe("a name that has come to mean this machine", () => {
  const kit = useKit();

  it("has an engine give up at once, and say why", async () => {
    const server = await kit.serve();
    const policy = createPolicy({});
    const lookup = resolver(() => ["127.0.0.1"]);
    const w = world(undefined, { destinations: {}, transport: kit.pool({ policy, lookup }) });
    await w.ask("POST", `/v2/publish/http://rebound.test:${server.port}/`, {
      headers: { [HEADER.retries]: "5" },
    });
    await until(async () => (await w.deadLetters()).length === 1);
    expect(await w.deadLetters()).toMatchObject([
      { error: expect.stringContaining("destination refused: rebound.test"), responseStatus: 0 },
    ]);
    expect(server.asked).toHaveLength(0);
    expect(w.events.map(({ type }) => type)).toEqual(["failed"]);
  });
});
