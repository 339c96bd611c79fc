import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Listening, listen } from "../../src/cli/listen.ts";
import { createMetrics } from "../../src/cli/metrics.ts";
import { createOperations } from "../../src/cli/operations.ts";
import { createServer, type EngineServer } from "../../src/index.ts";

const TOKENS = { full: "a token of ann's", look: "ann may look" };

describe("a path that a proxy in front may read as another one", () => {
  let engine: EngineServer;
  let listening: Listening;
  beforeAll(async () => {
    const signingKeys = { current: "sig_c", next: "sig_n" };
    const own = { store: ":memory:", token: TOKENS.full, readOnlyTokens: [TOKENS.look], signingKeys };
    engine = createServer({ tenants: [{ user: "ann", ...own }] });
    const metrics = createMetrics();
    const api = createOperations({ api: engine.fetch, stores: [], metrics, metricsToken: "m" });
    listening = await listen(api.fetch, { host: "127.0.0.1", port: 0 });
  });
  afterAll(async () => {
    listening.server.close();
    listening.server.closeAllConnections();
    await engine.stop();
  });

  /** Sends a request line as it is: clients tidy paths. */
  async function ask(method: string, target: string, token: string = TOKENS.full) {
    const socket = connect(listening.port, "127.0.0.1");
    socket.write(
      `${method} ${target} HTTP/1.1\r\nHost: engine.test\r\nAuthorization: Bearer ${token}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    );
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    await once(socket, "close");
    return { status: Number(answer.split(" ", 2)[1]), body: answer.split("\r\n\r\n")[1] ?? "" };
  }

  it.each([
    ["GET", "/v2/./dlq"],
    ["GET", "/v2/logs/../dlq"],
    ["GET", "/v2/%2e%2e/v2/dlq"],
    ["GET", "/v2/.%2E/v2/dlq"],
    ["GET", "/v2\\dlq"],
    ["GET", "/v2/..\\v2/dlq"],
    ["GET", "//v2/dlq"],
    ["GET", "/v2//dlq"],
    ["GET", "/v2/%64lq"],
    ["GET", "/v2/%6beys"],
    ["POST", "/v2/publish/../batch"],
    ["POST", "/v2/publish/%2e%2e/batch"],
    ["POST", "/admin/../v2/publish/https://example.com/"],
    ["POST", "/v2/enqueue/q/../../publish/https://example.com/"],
    ["POST", "/v2/./publish/https://example.com/"],
    ["POST", "/v2//publish/https://example.com/"],
    ["POST", "/v2\\publish/https://example.com/"],
    ["GET", "/v2/../openapi.json"],
    ["GET", "/x/../health"],
  ])("is refused: %s %s", async (method, target) => {
    expect(await ask(method, target)).toMatchObject({ status: 400 });
  });

  it("is bound as it came where it is a name or a destination", async () => {
    for (const name of ["..", "%2e%2e", "%2E."])
      expect((await ask("GET", `/v2/schedules/${name}`)).status).toBe(400);
    // Tidied up, it would lead to the signing keys.
    const reading = await ask("GET", "/v2/schedules/../keys", TOKENS.look);
    expect(reading.status).toBe(400);
    const published = await ask(
      "POST",
      "/v2/publish/https://example.com/a/../../../../../v2/dlq?upstash-delay=1d",
    );
    expect(published.status).toBe(200);
    expect(published.body).toContain('"url":"https://example.com/v2/dlq"');
  });

  it("is none where its query or a destination alone has such characters", async () => {
    expect((await ask("GET", "/v2/dlq?label=/../x//%64")).status).toBe(200);
    expect((await ask("POST", "/v2/publish/https://example.com//a/%2e/b?upstash-delay=1d")).status).toBe(200);
  });

  it("may come with scheme and host, as a proxy's client sends it", async () => {
    expect((await ask("GET", "http://engine.test/v2/dlq")).status).toBe(200);
    expect((await ask("GET", "http://engine.test/health")).status).toBe(200);
    expect((await ask("GET", "http://engine.test/v2/../v2/dlq")).status).toBe(400);
  });
});
