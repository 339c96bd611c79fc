import { describe, expect, it } from "vitest";
import { type BrowserRules, createBrowserGuard } from "../../src/http/browser-guard.ts";

function statusOf(headers: Record<string, string>, rules: BrowserRules): number {
  const request = new Request("http://127.0.0.1:8080/v2/dlq", { method: "POST", headers });
  return createBrowserGuard(rules)(request)?.status ?? 200;
}

const DEV: BrowserRules = { hosts: ["127.0.0.1"], origins: [] };

describe("a Host", () => {
  it.each([
    "localhost",
    "localhost:8080",
    "LOCALHOST:8080",
    "localhost.:8080",
    "app.localhost:8080",
    "127.0.0.1",
    "127.0.0.1:8080",
    "127.1.2.3:1",
    "[::1]",
    "[::1]:8080",
  ])("of this machine is taken: %s", (host) => {
    expect(statusOf({ host }, DEV)).toBe(200);
  });

  it.each([
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "notlocalhost",
    "192.168.1.5:8080",
    "[2001:db8::1]:8080",
    "128.0.0.1",
    "127.evil.example",
    "localhost:8080@evil.example",
    "[::1]evil.example",
  ])("of somebody else is refused: %s", (host) => {
    expect(statusOf({ host }, DEV)).toBe(403);
  });

  it("may be one that is allowed, and any address where all addresses are listened on", () => {
    const rules = { hosts: ["0.0.0.0", "Engine.internal"], origins: [], anyAddress: true };
    for (const host of ["engine.internal:8080", "192.168.1.5:8080", "[2001:db8::1]:8080", "0.0.0.0:8080"])
      expect(statusOf({ host }, rules), host).toBe(200);
    for (const host of ["evil.example", "1.2.3.4.evil.example"])
      expect(statusOf({ host }, rules), host).toBe(403);
  });

  it("is nobody's business where none are said", () => {
    expect(statusOf({ host: "evil.example" }, { origins: [] })).toBe(200);
  });
});

describe("a page", () => {
  it.each(["http://localhost:3000", "https://127.0.0.1", "http://[::1]:5173", "http://app.localhost"])(
    "of this machine may call: %s",
    (origin) => {
      expect(statusOf({ origin }, DEV)).toBe(200);
      expect(statusOf({ origin, "Sec-Fetch-Site": "same-site" }, DEV)).toBe(200);
    },
  );

  it.each([
    "https://evil.example",
    "http://localhost.evil.example",
    "http://127.0.0.1.evil.example",
    "null",
    "",
    "localhost",
    "chrome-extension://abcdef",
    "http://192.168.1.5:3000",
  ])("of somebody else may not: %j", (origin) => {
    expect(statusOf({ origin }, DEV)).toBe(403);
    expect(statusOf({ origin, "Sec-Fetch-Site": "same-origin" }, DEV)).toBe(403);
  });

  it("that says no origin may not call from another site", () => {
    expect(statusOf({ "Sec-Fetch-Site": "cross-site" }, DEV)).toBe(403);
    expect(statusOf({ "Sec-Fetch-Site": "Cross-Site" }, DEV)).toBe(403);
    expect(statusOf({ "Sec-Fetch-Site": "none" }, DEV)).toBe(200);
    expect(statusOf({}, DEV)).toBe(200);
  });

  it("may be one that is allowed", () => {
    const rules = { origins: ["https://Console.example/"] };
    const allowed = { origin: "https://console.example", "Sec-Fetch-Site": "cross-site" };
    expect(statusOf(allowed, rules)).toBe(200);
    expect(statusOf({ ...allowed, origin: "http://console.example" }, rules)).toBe(403);
    expect(statusOf({ ...allowed, origin: "https://console.example.evil.example" }, rules)).toBe(403);
  });

  it("is nobody's business where no origins are said", () => {
    expect(statusOf({ origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" }, { hosts: [] })).toBe(
      200,
    );
  });
});
