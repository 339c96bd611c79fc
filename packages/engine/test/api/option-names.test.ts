import { describe, expect, it } from "vitest";
import { createEngine, createServer, openSqlite } from "../../src/index.ts";

/** Options as JavaScript passes them. */
const plain = (options: object): never => options as never;

const keys = { current: "sig_1", next: "sig_2" };
const engine = { store: ":memory:", token: "t", signingKeys: keys };
const tenant = { user: "ann", ...engine };
const ofEngine = (more: object) => () => createEngine(plain({ ...engine, ...more }));
const ofServer =
  (more: object, own: object = {}) =>
  () =>
    createServer(plain({ tenants: [{ ...tenant, ...own }], ...more }));

describe("an unknown option", () => {
  it.each<[string, () => unknown, string, string]>([
    ["createEngine", ofEngine({ onEvents() {} }), "onEvents", "onEvent"],
    ["createEngine", ofEngine({ concurency: 1 }), "concurency", "concurrency"],
    ["limits", ofEngine({ limits: { retrys: 1 } }), "retrys", "retries"],
    ["limits", ofEngine({ limits: { request_bytes: 1 } }), "request_bytes", "requestBytes"],
    ["timeouts", ofEngine({ timeouts: { delivry: 1 } }), "delivry", "delivery"],
    ["retention", ofEngine({ retention: { log: 1 } }), "log", "logs"],
    ["signingKeys", ofEngine({ signingKeys: { ...keys, nxt: "x" } }), "nxt", "next"],
    ["destinations", ofEngine({ destinations: { allowed: ["10.0.0.0/8"] } }), "allowed", "allow"],
    ["createServer", ofServer({ tenant: [] }), "tenant", "tenants"],
    ["createServer", ofServer({ token: "t" }), "token", "tenants"],
    ["limits", ofServer({ limits: { retrys: 1 } }), "retrys", "retries"],
    ["timeouts", ofServer({ timeouts: { leese: 1 } }), "leese", "lease"],
    ['the tenant "ann"', ofServer({}, { tokn: "x" }), "tokn", "token"],
    ['the tenant "ann"', ofServer({}, { lazy: true, limits: {} }), "limits", "lazy"],
    ["signingKeys", ofServer({}, { lazy: true, signingKeys: { ...keys, curent: "x" } }), "curent", "current"],
    ["openSqlite", () => openSqlite(":memory:", plain({ excerptByte: 1 })), "excerptByte", "excerptBytes"],
  ])("of %s is refused, and the nearest one named: %#", (owner, make, name, nearest) => {
    expect(make).toThrow(TypeError);
    expect(make).toThrow(`Unknown option "${name}" of ${owner}.`);
    if (name !== "token" && name !== "limits") expect(make).toThrow(`The options are ${nearest}`);
  });

  it("that is undefined isn't given", async () => {
    await ofEngine({ nothing: undefined, limits: { nothing: undefined } })().stop();
    await ofServer({ nothing: undefined }, { nothing: undefined })().stop();
  });
});
