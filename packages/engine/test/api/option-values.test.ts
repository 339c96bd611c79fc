import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { createDashboard, createEngine, createServer, openPostgres, openSqlite } from "../../src/index.ts";
import { useMachine } from "../crashing.ts";

/** Options as JavaScript passes them. */
const plain = (options: unknown): never => options as never;

const SECRET = "top-secret";
const keys = { current: "sig_1", next: "sig_2" };
const own = { store: ":memory:", token: "t", signingKeys: keys };
const here = { fetch: async (): Promise<Response> => new Response() };
const app = async (): Promise<Response> => new Response();
const machine = useMachine();

/** Options that an engine has for itself, also one of several. */
const OWN: readonly [options: object, message: string][] = [
  [{ store: undefined }, "store must be the path of a SQLite file"],
  [{ store: {} }, "or a store such as await openPostgres(url); got an object."],
  [{ store: "" }, "store must be the path of a SQLite file"],
  [{ store: null }, "got null."],
  [{ store: Promise.resolve() }, "got a Promise."],
  [{ store: { url: SECRET } }, "got an object."],
  [{ store: `postgres://u:${SECRET}@host/db` }, "store must be the path of a SQLite file"],
  [{ token: undefined }, "token must be a non-empty string, or a list of them; got undefined."],
  [{ token: "" }, "token must be a non-empty string; got an empty string."],
  [{ token: [] }, "token must be a non-empty string, or a list of them; got an empty list."],
  [{ token: [SECRET, ""] }, "token must be a non-empty string; got an empty string."],
  [{ token: { bearer: SECRET } }, "token must be a non-empty string, or a list of them; got an object."],
  [{ token: 5 }, "token must be"],
  [{ readOnlyTokens: SECRET }, "readOnlyTokens must be a list of non-empty strings; got a string."],
  [{ readOnlyTokens: [undefined] }, "readOnlyTokens must be a non-empty string; got undefined."],
  [{ readOnlyTokens: null }, "readOnlyTokens must be"],
  [{ signingKeys: undefined }, "signingKeys must be an object; got undefined."],
  [{ signingKeys: [SECRET, SECRET] }, "signingKeys must be an object; got a list."],
  [{ signingKeys: SECRET }, "signingKeys must be an object; got a string."],
  [{ signingKeys: {} }, "signingKeys.current must be a non-empty string; got undefined."],
  [{ signingKeys: { current: undefined, next: SECRET } }, "signingKeys.current must be"],
  [{ signingKeys: { current: "", next: SECRET } }, "signingKeys.current must be"],
  [{ signingKeys: { current: SECRET, next: " " } }, "signingKeys.next must be"],
  [{ signingKeys: { current: [SECRET], next: SECRET } }, "signingKeys.current must be"],
];

/** Options that the engines of a server share. */
const SHARED: readonly [options: object, message: string][] = [
  [{ clock: null }, "clock must be an object with the functions now and after; got null."],
  [{ clock: { now: 5 } }, "clock must be"],
  [{ transport: {} }, "transport must be an object with the functions send and close; got {}."],
  [{ transport: app }, "transport must be"],
  [{ transport: null }, "transport must be"],
  [{ destinations: null }, "destinations must be an object; got null."],
  [{ destinations: false }, "destinations must be an object; got a boolean."],
  [{ destinations: ["10.0.0.0/8"] }, "destinations must be an object; got a list."],
  [{ destinations: { deny: "evil" } }, 'destinations.deny must be a list of strings; got "evil".'],
  [{ destinations: { allow: "evil" } }, 'destinations.allow must be a list of strings; got "evil".'],
  [{ destinations: { allow: null } }, "destinations.allow must be"],
  [{ destinations: { deny: [5] } }, "destinations.deny must be a list of strings; got [5]."],
  [{ destinations: { deny: ["a b"] } }, '"a b" is no address'],
  [{ onEvent: 5 }, "onEvent must be a function; got 5."],
  [{ onEvent: null }, "onEvent must be"],
  [{ timeouts: 5 }, "timeouts must be an object; got a number."],
  [{ limits: null }, "limits must be an object; got null."],
  [{ retention: "1d" }, "retention must be an object; got a string."],
  [{ limits: new Map([["retries", 1]]) }, "limits must be an object; got a Map."],
  [{ limits: { retries: 1.5 } }, "limits.retries must be"],
  [{ concurrency: "5" }, "concurrency must be"],
  [{ calls: null }, "calls must be"],
  [{ region: 5 }, "region must be"],
  [{ trustProxy: "false" }, "trustProxy must be true or false; got false."],
  [{ hidePayloads: 1 }, "hidePayloads must be"],
  [{ search: null }, "search must be"],
];

const ENDPOINTS: readonly [options: object, message: string][] = [
  [{ endpoints: new Map([["https://app.test", app]]) }, "endpoints must be an object of origins"],
  [{ endpoints: [] }, "endpoints must be an object of origins with their functions; got an empty list."],
  [{ endpoints: app }, "got a function."],
  [{ endpoints: null }, "got null."],
  [
    { endpoints: { "https://app.test/": app } },
    'must be an origin, such as "https://app.example.com"; got "https',
  ],
  [
    { endpoints: { "https://app.test": {} } },
    '"https://app.test" must be a function from Request to Response; got an',
  ],
];

/** Shows that this is refused with a TypeError that has no secret in it. */
function refuses(make: () => unknown, message: string): void {
  expect(make).toThrow(TypeError);
  expect(make).toThrow(message);
  expect(make).not.toThrow(SECRET);
}

describe("an invalid option is named", () => {
  it.each([...OWN, ...SHARED, ...ENDPOINTS])("of createEngine: %j, %s", (options, message) => {
    refuses(() => createEngine(plain({ ...own, ...options })), message);
  });

  it.each(OWN)("of a user of createServer, also of one who isn't there yet: %j, %s", (options, message) => {
    const tenants = [{ user: "ann", lazy: true, ...own, ...options }];
    refuses(() => createServer(plain({ tenants })), message);
  });

  it.each(SHARED)("of createServer: %j, %s", (options, message) => {
    refuses(() => createServer(plain({ tenants: [{ user: "ann", ...own }], ...options })), message);
  });

  it.each<[call: string, make: () => unknown, message: string]>([
    ["createEngine", () => createEngine(plain(undefined)), "The options of createEngine must be an object"],
    [
      "createEngine",
      () => createEngine(plain([own])),
      "The options of createEngine must be an object; got a list.",
    ],
    [
      "createServer",
      () => createServer(plain(null)),
      "The options of createServer must be an object; got null.",
    ],
    ["createServer", () => createServer(plain({})), "tenants must be a list of users; got undefined."],
    [
      "createServer",
      () => createServer({ tenants: [plain(undefined)] }),
      "must be an object; got undefined.",
    ],
    ["createServer", () => createServer({ tenants: [plain(own)] }), "user must be a non-empty string"],
    [
      "createServer",
      () => createServer({ tenants: [plain({ user: "a", lazy: "no", ...own })] }),
      "lazy must be",
    ],
    [
      "createDashboard",
      () => createDashboard(plain(undefined)),
      "engine must be an engine or a server; got undefined.",
    ],
    [
      "createDashboard",
      () => createDashboard(here, plain(null)),
      "The options of createDashboard must be an object",
    ],
    [
      "createDashboard",
      () => createDashboard(here, { token: "" }),
      "token must be a non-empty string; got an empty",
    ],
    ["createDashboard", () => createDashboard(here, { token: plain([SECRET]) }), "got a list."],
    [
      "createDashboard",
      () => createDashboard(here, { token: "t", user: plain(5) }),
      "user must be a function; got 5.",
    ],
    [
      "createDashboard",
      () => createDashboard(here, { secret: plain({ key: SECRET }) }),
      "secret must be a non-empty string; got an object.",
    ],
    ["createDashboard", () => createDashboard(here, { now: plain(5) }), "now must be a function; got 5."],
    ["openSqlite", () => openSqlite(plain(undefined)), "file must be the path of a file; got undefined."],
    ["openSqlite", () => openSqlite(""), "file must be the path of a file"],
    ["openSqlite", () => openSqlite(":memory:", plain(null)), "The options of openSqlite must be an object"],
    ["openSqlite", () => openSqlite(":memory:", plain({ now: 5 })), "now must be a function; got 5."],
    ["openSqlite", () => openSqlite(":memory:", plain({ warn: "x" })), "warn must be a function"],
    ["openSqlite", () => openSqlite(":memory:", { excerptBytes: -1 }), "excerptBytes must be a whole number"],
  ])("of %s: %#", (_, make, message) => refuses(make, message));

  it.each<[url: unknown, settings: unknown, message: string]>([
    [undefined, {}, "url must be the URL of a database; got undefined."],
    [{ password: SECRET }, {}, "url must be the URL of a database; got an object."],
    ["postgres://127.0.0.1:1/db", null, "The options of openPostgres must be an object; got null."],
    ["postgres://127.0.0.1:1/db", { warn: 5 }, "warn must be a function; got 5."],
    ["postgres://127.0.0.1:1/db", { excerptBytes: "4" }, "excerptBytes must be a whole number"],
  ])("of openPostgres: %j, %j", async (url, settings, message) => {
    const opened = openPostgres(plain(url), plain(settings));
    await expect(opened).rejects.toThrow(TypeError);
    await expect(opened).rejects.toThrow(message);
    await expect(opened).rejects.not.toThrow(SECRET);
  });
});

describe("a database that an invalid option comes with", () => {
  it.each([...OWN.filter(([options]) => !("store" in options)), ...SHARED, ...ENDPOINTS])(
    "isn't opened: %j",
    (options) => {
      const store = `${machine().file}-of-options`;
      expect(() => createEngine(plain({ ...own, store, ...options }))).toThrow(TypeError);
      expect(existsSync(store)).toBe(false);
    },
  );

  it("is free again after the server couldn't open that of another user", async () => {
    const store = `${machine().file}-of-ann`;
    // Its folder is a file.
    const tenants = [
      { user: "ann", ...own, store },
      { user: "bob", ...own, token: "b", store: join(store, "bob.db") },
    ];
    expect(() => createServer({ tenants })).toThrow();
    await vi.waitFor(() => openSqlite(store).close());
  });
});
