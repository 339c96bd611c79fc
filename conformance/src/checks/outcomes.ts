import { history, runHeaders } from "@perdure/test-support/delivery";
import { expect, it } from "vitest";
import { type Answer, ask, deliver, type Scene } from "../scene.ts";
import type { Wish } from "../workflows.ts";

const LIMIT = 64 * 1024;

/** Each way in which a request can be answered: its status, and the headers that an engine reads. */
export function outcomes(scene: () => Scene): void {
  const wish = (what: Wish, headers: Record<string, string> = {}) =>
    deliver(scene(), "/answer", { body: history({ wish: what }), headers: { ...runHeaders(), ...headers } });
  const untouched = () => expect([...scene().stand.told, ...scene().stand.sent]).toEqual([]);

  it("200: what every answer carries", async () => {
    const answer = await wish("return");
    expect(answer.status).toBe(200);
    expectOurs(answer);
    expect(scene().stand.sent).toMatchObject([{ method: "DELETE", body: '"without a step"' }]);
  });

  it("400, not to be retried: a body that can't be read", async () => {
    const answer = await deliver(scene(), "/answer", { body: '[{"messageId"', headers: runHeaders() });
    expect(answer.status).toBe(400);
    expectOurs(answer);
    expect(answer.headers.get("Upstash-NonRetryable-Error")).toBe("true");
    untouched();
  });

  it("403: the hook says no, in spite of a valid signature", async () => {
    const answer = await wish("return", { "X-Conformance-Refuse": "1" });
    expect(answer.status).toBe(403);
    expectOurs(answer);
    expect(JSON.parse(answer.text)).not.toHaveProperty("stack");
    untouched();
  });

  it("404: no workflow of that name is among several", async () => {
    const answer = await deliver(scene(), "/many/treble", { body: history(1), headers: runHeaders() });
    expect(answer.status).toBe(404);
    expect(answer.headers.get("Upstash-Workflow-Sdk-Version")).toBe("1");
    // Which there are, a stranger isn't told.
    expect(answer.text).toBe("No workflow is served here.");
    untouched();
  });

  it.each(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])("405: a %s", async (method) => {
    const answer = await ask(`${scene().url}/answer`, { method, headers: runHeaders() });
    untouched();
    if (scene().traits.routesByMethod) {
      expect([200, 204, 400, 404, 405]).toContain(answer.status);
      return;
    }
    expect(answer.status).toBe(405);
    expect(answer.headers.get("Allow")).toBe("POST");
    expect(answer.text === "").toBe(method === "HEAD");
  });

  it.each([false, true])(
    "413, not to be retried: a body over the limit, without its length: %s",
    async (chunked) => {
      const answer = await deliver(scene(), "/answer", { body: "x".repeat(LIMIT + 1), chunked });
      expect(answer.status).toBe(413);
      expectOurs(answer);
      expect(answer.headers.get("Upstash-NonRetryable-Error")).toBe("true");
      untouched();
    },
  );

  it("200: a body that just keeps the limit, without its length", async () => {
    const answer = await deliver(scene(), "/answer", { body: "x".repeat(LIMIT), chunked: true });
    expect(answer.status).toBe(200);
    expect(scene().stand.published).toMatchObject([{ body: "x".repeat(LIMIT) }]);
  });

  it("429: the workflow says when to come again", async () => {
    const answer = await wish("wait");
    expect(answer.status).toBe(429);
    expectOurs(answer);
    expect(answer.headers.get("Retry-After")).toBe("120");
  });

  it("489: the workflow says not to come again", async () => {
    const answer = await wish("stop");
    expect(answer.status).toBe(489);
    expectOurs(answer);
    expect(answer.headers.get("Upstash-NonRetryable-Error")).toBe("true");
    expect(JSON.parse(answer.text)).toMatchObject({ message: "not again" });
  });

  it("500: a step has thrown, and its name is told", async () => {
    const answer = await wish("throw");
    expect(answer.status).toBe(500);
    expectOurs(answer);
    expect(answer.headers.get("Upstash-Error-Step-Name")).toBe("100 %25 l%C3%B6st");
    expect(JSON.parse(answer.text)).toMatchObject({
      error: "TypeError",
      message: "thrown by a step",
      stack: expect.any(String),
    });
    expect(scene().stand.sent).toEqual([]);
  });
}

function expectOurs({ headers }: Answer): void {
  expect(headers.get("Content-Type")).toMatch(/^application\/json/);
  expect(headers.get("Upstash-Workflow-Sdk-Version")).toBe("1");
  expect(headers.get("Upstash-Workflow-Sdk")).toMatch(/^v1\./);
}
