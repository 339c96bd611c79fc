import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PUBLIC_USERS } from "@perdure/core/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readStartConfig, type StartFlags } from "../../src/cli/start-config.ts";
import { readStartFile, type StartFile } from "../../src/cli/start-file.ts";
import { ConfigError } from "../../src/cli/values.ts";

const DAY = 86_400_000;
const secret = (name: string): string => `${name}-0123456789abcdef`;
const SHORT = "0123456789abcde";
const ENV = {
  PERDURE_TOKEN: secret("tok"),
  PERDURE_CURRENT_SIGNING_KEY: secret("sig_c"),
  PERDURE_NEXT_SIGNING_KEY: secret("sig_n"),
};
const FILE: StartFile = {
  tokens: [secret("file-1"), secret("file-2")],
  signingKeys: { current: secret("sig_fc"), next: secret("sig_fn") },
};

const REFUSED: [StartFlags, Record<string, string>, StartFile, string | RegExp][] = [
  [{}, {}, {}, /PERDURE_TOKEN is missing.*\n.*perdure keys new/],
  [{}, { PERDURE_TOKEN: secret("tok") }, {}, /SIGNING_KEY.*missing.*\n.*perdure keys new/],
  [{}, { ...ENV, PERDURE_NEXT_SIGNING_KEY: "" }, {}, "go together"],
  [
    {},
    { ...ENV, PERDURE_NEXT_SIGNING_KEY: `${secret("n")}\n` },
    {},
    /^The next signing key .* ends with a space or a line feed/,
  ],
  [{}, { ...ENV, PERDURE_TOKEN: ` ${secret("t")}` }, {}, /^A token .* begins or ends with a space/],
  [{ port: "70000" }, ENV, {}, '"70000"'],
  [
    { drain: "soon" },
    ENV,
    {},
    'The time to drain must be a duration such as "30s"; got "soon" from --drain.',
  ],
  [{}, { ...ENV, PERDURE_DRAIN: "soon" }, {}, 'got "soon" from PERDURE_DRAIN.'],
  [{}, { ...ENV, PERDURE_LOG_LEVEL: "loud" }, {}, 'got "loud" from PERDURE_LOG_LEVEL.'],
  [{ otlpEndpoint: "ftp://a" }, ENV, {}, 'got "ftp://a" from --otlp-endpoint.'],
  [{}, { ...ENV, PERDURE_DASHBOARD: "yes" }, {}, 'PERDURE_DASHBOARD must be true or false; got "yes".'],
  [
    {},
    { ...ENV, PERDURE_PORT: "tcp://10.0.0.1:8080" },
    {},
    'The port must be a number from 0 to 65535; got "tcp://10.0.0.1:8080" from PERDURE_PORT. Kubernetes sets this variable',
  ],
  [{ logLevel: "loud" }, ENV, {}, '"loud"'],
  [{ allowDestination: ["not a host"] }, ENV, {}, '"not a host"'],
  [{}, { ...ENV, PERDURE_DENY_DESTINATIONS: "http://x/" }, {}, '"http://x/"'],
  [{ metricsToken: secret("tok") }, ENV, {}, "token of their own"],
  [
    { token: SHORT },
    ENV,
    {},
    /^A token of the user "default" has 15 .* at least 16 .*\n.*keys new.*openssl rand/,
  ],
  [{}, { ...ENV, PERDURE_READ_ONLY_TOKENS: SHORT }, {}, /^A read-only token .* has 15 /],
  [{ currentSigningKey: "k" }, ENV, {}, /^The current signing key .* has 1 /],
  [{}, { ...ENV, PERDURE_NEXT_SIGNING_KEY: SHORT }, {}, /^The next signing key .* has 15 /],
  [{ metricsToken: SHORT }, ENV, {}, /^The metrics token has 15 /],
  [
    {},
    ENV,
    { tenants: [{ user: "ann", tokens: [SHORT], signingKeys: { current: secret("c"), next: secret("n") } }] },
    /^A token of the user "ann" has 15 /,
  ],
  ...PUBLIC_USERS.flatMap(({ token, signingKeys }): typeof REFUSED => [
    [{ token }, ENV, {}, "public ones"],
    [{}, { ...ENV, PERDURE_NEXT_SIGNING_KEY: signingKeys.next }, {}, "public ones"],
    [{}, ENV, { readOnlyTokens: [token] }, "public ones"],
  ]),
];

describe("the configuration of production", () => {
  it("binds to this machine alone, and lets nothing inside be called, when little is said", () => {
    expect(readStartConfig({}, ENV, {})).toEqual({
      host: "127.0.0.1",
      port: 8080,
      logLevel: "info",
      tenants: [
        {
          user: "default",
          token: [secret("tok")],
          readOnlyTokens: [],
          signingKeys: { current: secret("sig_c"), next: secret("sig_n") },
          store: ".perdure/perdure.db",
        },
      ],
      dashboard: false,
      metricsToken: undefined,
      otlpEndpoint: undefined,
      drain: 25_000,
      browsers: { hosts: undefined, origins: undefined, anyAddress: false },
      engine: { destinations: { allow: [], deny: [] }, limits: {}, retention: {}, timeouts: {} },
    });
  });

  it("says which hosts and origins browsers may name, where it is asked to", () => {
    const file: StartFile = { allowHosts: ["f.test"], allowOrigins: ["https://f.test"] };
    const env = { ...ENV, PERDURE_ALLOW_HOSTS: "e.test" };
    const flags = { allowOrigin: ["https://a.test"] };
    const of = (...all: Parameters<typeof readStartConfig>) => readStartConfig(...all).browsers;
    expect(of({}, ENV, file)).toMatchObject({ hosts: ["127.0.0.1", "f.test"], origins: ["https://f.test"] });
    expect(of({}, env, {})).toMatchObject({ hosts: ["127.0.0.1", "e.test"], origins: undefined });
    expect(of(flags, env, file)).toMatchObject({
      hosts: ["127.0.0.1", "e.test"],
      origins: ["https://a.test"],
    });
  });

  it("comes from flags, before them from the environment, and before that from a file", () => {
    const file: StartFile = {
      ...FILE,
      host: "f",
      port: 1,
      db: "f.db",
      logLevel: "error",
      metricsToken: secret("fm"),
      drain: "1m",
      destinations: { allow: ["f"] },
    };
    const env = {
      ...ENV,
      PERDURE_HOST: "e",
      PERDURE_PORT: "2",
      PERDURE_DB: "e.db",
      PERDURE_LOG_LEVEL: "debug",
      PERDURE_METRICS_TOKEN: secret("em"),
      PERDURE_DRAIN: "2m",
      PERDURE_ALLOW_DESTINATIONS: "e, e2",
      PERDURE_DENY_DESTINATIONS: "10.0.0.0/8",
      PERDURE_READ_ONLY_TOKENS: `${secret("r1")},${secret("r2")}`,
    };
    const flags = {
      host: "a",
      port: "3",
      db: "a.db",
      logLevel: "silent",
      metricsToken: secret("am"),
      drain: "3m",
      allowDestination: ["a"],
      token: secret("at"),
      currentSigningKey: secret("ac"),
      nextSigningKey: secret("an"),
    };
    expect(readStartConfig({}, {}, file)).toMatchObject({
      host: "f",
      port: 1,
      logLevel: "error",
      metricsToken: secret("fm"),
      drain: 60_000,
      tenants: [
        {
          token: [secret("file-1"), secret("file-2")],
          signingKeys: { current: secret("sig_fc") },
          store: "f.db",
        },
      ],
      engine: { destinations: { allow: ["f"], deny: [] } },
    });
    expect(readStartConfig({}, env, file)).toMatchObject({
      host: "e",
      port: 2,
      logLevel: "debug",
      metricsToken: secret("em"),
      drain: 120_000,
      tenants: [
        {
          token: [secret("tok")],
          readOnlyTokens: [secret("r1"), secret("r2")],
          signingKeys: { current: secret("sig_c") },
          store: "e.db",
        },
      ],
      engine: { destinations: { allow: ["e", "e2"], deny: ["10.0.0.0/8"] } },
    });
    expect(readStartConfig(flags, env, file)).toMatchObject({
      host: "a",
      port: 3,
      logLevel: "silent",
      metricsToken: secret("am"),
      drain: 180_000,
      tenants: [
        { token: [secret("at")], signingKeys: { current: secret("ac"), next: secret("an") }, store: "a.db" },
      ],
      engine: { destinations: { allow: ["a"] } },
    });
  });

  it("takes users beside the first one, or without one, each with a file of their own", () => {
    const ann = {
      user: "ann",
      tokens: [secret("ann-1")],
      signingKeys: { current: secret("sig_a"), next: secret("sig_b") },
    };
    const bob = { ...ann, user: "bob", tokens: [secret("bob-1")], db: "b.db" };
    expect(readStartConfig({}, ENV, { tenants: [ann, bob], db: "x/main.db" }).tenants).toMatchObject([
      { user: "default", store: "x/main.db" },
      { user: "ann", store: "x/main.ann.db", token: [secret("ann-1")] },
      { user: "bob", store: "b.db" },
    ]);
    expect(readStartConfig({}, {}, { tenants: [ann] }).tenants.map(({ user }) => user)).toEqual(["ann"]);
  });

  it("names the user as the token does", () => {
    const token = Buffer.from('{"UserID":"acme","Password":"0123456789abcdef"}').toString("base64");
    expect(readStartConfig({ token }, ENV, {}).tenants).toMatchObject([{ user: "acme" }]);
  });

  it("takes secrets as short as may be", () => {
    const shortest = { PERDURE_TOKEN: `${SHORT}f`, PERDURE_CURRENT_SIGNING_KEY: `${SHORT}g` };
    expect(readStartConfig({}, { ...ENV, ...shortest }, {}).tenants).toMatchObject([
      { token: [`${SHORT}f`] },
    ]);
  });

  it("shows no secret that it refuses", () => {
    expect(() => readStartConfig({ token: SHORT }, ENV, {})).not.toThrow(SHORT);
  });

  it.each(REFUSED)("refuses %j with %j and %j", (flags, env, file, message) => {
    expect(() => readStartConfig(flags, env, file)).toThrow(ConfigError);
    expect(() => readStartConfig(flags, env, file)).toThrow(message);
  });
});

describe("the file of the configuration", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "perdure config "));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const read = (text: string): StartFile => {
    const path = join(folder, "perdure.json");
    writeFileSync(path, text);
    return readStartFile(path);
  };

  it("may say everything", () => {
    const all: StartFile = {
      ...FILE,
      host: "::1",
      port: 0,
      db: "a.db",
      logLevel: "debug",
      readOnlyTokens: [secret("r")],
      tenants: [
        {
          user: "ann",
          tokens: [secret("a")],
          signingKeys: { current: secret("c"), next: secret("n") },
          db: "ann.db",
        },
      ],
      metricsToken: secret("m"),
      drain: "1m30s",
      trustProxy: true,
      destinations: { allow: ["10.0.0.0/8"], deny: ["evil.example"] },
      concurrency: 8,
      calls: 9,
      timeouts: { delivery: "1h", lease: "10s" },
      limits: {
        requestBytes: 1,
        responseBytes: 2,
        callBytes: 3,
        historyBytes: 4,
        retries: 0,
        requestsPerSecond: 5,
        requestsPerDay: 6,
        messageBytes: 7,
        delay: "7d",
        timeout: "1h",
        endpoints: 8,
        parallelism: 9,
        queues: 10,
        queueParallelism: 11,
        schedules: 12,
        urlGroups: 13,
      },
      retention: { deduplication: "10m", messages: "1m", logs: "1d", dlq: "2d", runs: "3d" },
      region: "EU-CENTRAL-1",
    };
    expect(read(JSON.stringify(all))).toEqual(all);
    expect(readStartConfig({}, {}, all).engine).toEqual({
      destinations: all.destinations,
      limits: { ...all.limits, delay: 604_800_000, timeout: 3_600_000 },
      retention: { deduplication: 600_000, messages: 60_000, logs: DAY, dlq: 2 * DAY, runs: 3 * DAY },
      region: "EU-CENTRAL-1",
      timeouts: { delivery: 3_600_000, lease: 10_000 },
      concurrency: 8,
      calls: 9,
      trustProxy: true,
    });
  });

  it.each([
    ['{"prot":1}', "prot"],
    ['{"limits":{"requestByte":1}}', "requestByte"],
    ['{"tenants":[{"user":"a"}]}', "tokens"],
    ['{"port":"x"}', "port"],
    ['{"port":70000}', "port"],
    ['{"drain":"x"}', "drain"],
    ['{"tokens":[]}', "tokens"],
    ['{"tokens":[""]}', "tokens"],
    ['{"signingKeys":{"current":"a"}}', "next"],
    ['{"destinations":{"allowed":[]}}', "allowed"],
    ['{"concurrency":0}', "concurrency"],
    ["[]", "perdure.json"],
    ["{", "perdure.json"],
  ])("is refused as %s, by name", (text, name) => {
    expect(() => read(text)).toThrow(ConfigError);
    expect(() => read(text)).toThrow(name);
  });

  it("has to be there", () => {
    expect(() => readStartFile(join(folder, "none.json"))).toThrow(/none\.json can't be read/);
  });
});
