import { randomBytes } from "node:crypto";
import { request } from "node:http";
import { createWorkflow, type Handler, type SharedOptions, type Workflow } from "@perdure/core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Listening, send } from "./http.ts";

/** What an adapter is asked to mount. */
export interface Mounts {
  /** To be mounted below `/under/a/prefix`, for all methods, by `toX`. */
  readonly probe: Handler;
  /** To be mounted at `/order` and `/invoice`, by `serve`. */
  readonly order: Served;
  readonly invoice: Served;
  /** To be mounted at `/many/<key>`, by `serveMany`. */
  readonly workflows: Record<"order" | "invoice", Workflow>;
}

type Served = [workflow: () => unknown, options: SharedOptions];

/** Each is known by its limit: a body over it is refused by a message that has it. */
function limited(bodyLimit: number): Served {
  return [() => undefined, { env: {}, verify: "off", bodyLimit }];
}

const PROBE = "/under/a/prefix/probe";
const BYTES = Buffer.from('{ "a":1.0, "é":"\\u00e9" }');
const COOKIES = ["a=1; Path=/", "b=2, or 3; Path=/"];
const JSON_TYPE = { "Content-Type": "application/json" };

/** What every framework has to hand over, over HTTP. @param mount starts a server with all of it */
export function describeAdapter(name: string, mount: (mounts: Mounts) => Promise<Listening>): void {
  describe(name, () => {
    const requests: Request[] = [];
    const broken: unknown[] = [];
    let left: (() => void) | undefined;
    const mounts: Mounts = {
      // Says what it was given: the bytes as they are, the rest in headers.
      probe: async (incoming) => {
        requests.push(incoming);
        const bytes = await incoming.arrayBuffer().catch((error) => {
          broken.push(error);
          throw error;
        });
        if (incoming.headers.has("X-Wait")) {
          await new Promise((resolve) => incoming.signal.addEventListener("abort", resolve));
          left?.();
        }
        const headers: [string, string][] = COOKIES.map((cookie) => ["Set-Cookie", cookie]);
        return new Response(bytes, { status: 203, headers: [...headers, ["X-Answer", "yes"]] });
      },
      order: limited(1),
      invoice: limited(2),
      workflows: { order: createWorkflow(...limited(3)), invoice: createWorkflow(...limited(4)) },
    };
    let server: Listening;
    beforeAll(async () => {
      server = await mount(mounts);
    });
    afterAll(() => server?.close());
    beforeEach(() => requests.splice(0));
    afterEach(() => {
      left = undefined;
    });

    it.each([
      ["JSON that isn't written as a serialiser would", BYTES, JSON_TYPE],
      ["text", BYTES, { "Content-Type": "text/plain" }],
      ["bytes without a type", BYTES, {}],
      ["1 MiB of noise", randomBytes(2 ** 20), { "Content-Type": "application/octet-stream" }],
      ["noise that is called JSON", randomBytes(1000), JSON_TYPE],
      ["a form", "a=1&b=%20", { "Content-Type": "application/x-www-form-urlencoded" }],
      ["nothing", "", JSON_TYPE],
    ])("hands over %s", async (_what, body, headers) => {
      const answer = await send(`${server.url}${PROBE}`, { body, headers });
      expect(answer.status).toBe(203);
      expect(answer.body.equals(Buffer.from(body))).toBe(true);
    });

    it("hands over a body whose length nobody knows", async () => {
      const headers = { ...JSON_TYPE, "Transfer-Encoding": "chunked" };
      const { body } = await send(`${server.url}${PROBE}`, { body: BYTES, headers });
      expect(String(body)).toBe(String(BYTES));
    });

    it.each([PROBE, `${PROBE}?a=%20b&c=d%2Fe&&f=%C3%A9&a=+`])("hands over the URL of %s", async (path) => {
      await send(server.url, { path, body: "{}", headers: JSON_TYPE });
      expect(requests[0]?.url).toBe(`${server.url}${path}`);
    });

    it("believes no header that speaks for a proxy", async () => {
      const headers = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "other.example.com",
        Forwarded: "proto=https",
      };
      await send(`${server.url}${PROBE}`, { body: "", headers });
      expect(requests[0]?.url).toBe(`${server.url}${PROBE}`);
    });

    it("hands over method and headers, and answers with status, headers and each cookie", async () => {
      const { headers } = await send(`${server.url}${PROBE}`, { method: "PUT", headers: { "X-Asked": "é" } });
      expect(requests[0]?.method).toBe("PUT");
      expect(requests[0]?.headers.get("X-Asked")).toBe("é");
      expect(headers).toMatchObject({ "x-answer": "yes", "set-cookie": COOKIES });
    });

    it("answers a HEAD without a body", async () => {
      const { status, body } = await send(`${server.url}${PROBE}`, { method: "HEAD" });
      expect(status).toBe(203);
      expect(body).toHaveLength(0);
    });

    it.each(["GET", "HEAD", "OPTIONS", "DELETE"])("leaves %s to the workflow", async (method) => {
      const { status, headers } = await send(`${server.url}/order`, { method });
      expect({ status, allow: headers.allow }).toEqual({ status: 405, allow: "POST" });
    });

    it.each([
      ["/order", 1],
      ["/invoice", 2],
      ["/many/order", 3],
      ["/many/invoice?a=b", 4],
    ])("serves the workflow at %s", async (path, limit) => {
      const { status, body } = await send(server.url, { path, body: "too long", headers: JSON_TYPE });
      expect(status).toBe(413);
      expect(JSON.parse(String(body)).message).toContain(`limit of ${limit} bytes`);
    });

    it("serves no other workflow", async () => {
      const { status, headers } = await send(`${server.url}/many/other`, { body: "{}", headers: JSON_TYPE });
      expect(status).toBe(404);
      expect(headers["upstash-workflow-sdk-version"]).toBe("1");
    });

    it("lives on when a client leaves in the middle of its request", async () => {
      const outgoing = request(`${server.url}${PROBE}`, {
        method: "POST",
        headers: { "Content-Length": "1000" },
      });
      outgoing.on("error", () => {});
      outgoing.write("begun");
      await expect.poll(() => requests.length).toBe(1);
      outgoing.destroy();
      await expect.poll(() => broken.length).toBe(1);
      expect((await send(`${server.url}${PROBE}`, { body: "next" })).status).toBe(203);
    });

    it("tells a handler that the client has left, and lives on when that answers nevertheless", async () => {
      const told = new Promise<void>((resolve) => {
        left = resolve;
      });
      const outgoing = request(`${server.url}${PROBE}`, { method: "POST", headers: { "X-Wait": "1" } });
      outgoing.on("error", () => {});
      outgoing.end("all of it");
      await expect.poll(() => requests.length).toBe(1);
      outgoing.destroy();
      await told;
      expect((await send(`${server.url}${PROBE}`, { body: "next" })).status).toBe(203);
    });
  });
}
