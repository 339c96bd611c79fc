import { expect, it } from "vitest";
import { guarded } from "../../src/cli/listen.ts";
import { world } from "../harness.ts";

const CONSOLE = "https://console.test";
const token = "Bearer defaultToken";

function ask(
  method: string,
  origin: string,
  headers: Record<string, string> = {},
  origins = [`${CONSOLE}/`],
) {
  const w = world(undefined, { token: "defaultToken" });
  const api = guarded((request, bindings) => w.engine.fetch(request, bindings), { origins });
  return api(
    new Request("http://localhost:8080/v2/queues", { method, headers: { Origin: origin, ...headers } }),
    {},
  );
}

it("a page of an allowed origin may read answers, also errors", async () => {
  const answer = await ask("GET", CONSOLE, { Authorization: token, "Sec-Fetch-Site": "cross-site" });
  expect([answer.status, await answer.json()]).toEqual([200, []]);
  expect(answer.headers.get("access-control-allow-origin")).toBe(CONSOLE);
  expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
  expect(answer.headers.get("vary")).toContain("Origin");
  const refused = await ask("GET", CONSOLE);
  expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([401, CONSOLE]);
});

it("its browser may ask first, without a token", async () => {
  const answer = await ask("OPTIONS", CONSOLE, {
    "Access-Control-Request-Method": "DELETE",
    "Access-Control-Request-Headers": "authorization,upstash-retries",
    "Access-Control-Request-Private-Network": "true",
  });
  expect([answer.status, await answer.text()]).toEqual([204, ""]);
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    "access-control-allow-origin": CONSOLE,
    "access-control-allow-headers": "authorization,upstash-retries",
    "access-control-allow-methods": expect.stringContaining("DELETE"),
    "access-control-allow-private-network": "true",
  });
});

it.each(["https://other.test", "null", "http://localhost:3000", `${CONSOLE}.evil.test`])(
  "a page of %s may not read anything",
  async (origin) => {
    for (const method of ["GET", "OPTIONS"]) {
      const preflight = method === "OPTIONS" ? { "Access-Control-Request-Method": "GET" } : {};
      const answer = await ask(method, origin, { Authorization: token, ...preflight });
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    }
  },
);

it("no page may by default", async () => {
  const answer = await ask("GET", "http://localhost:3000", { Authorization: token }, []);
  expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([200, null]);
});
