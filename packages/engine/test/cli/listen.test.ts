import { once } from "node:events";
import { request } from "node:http";
import { expect, it } from "vitest";
import { listen } from "../../src/cli/listen.ts";

it("takes as many headers as a message may forward, and keeps connections for longer than proxies do", async () => {
  const api = async ({ headers }: Request): Promise<Response> =>
    Response.json(headers.get("Upstash-Forward-Long")?.length);
  const { server, port } = await listen(api, { host: "127.0.0.1", port: 0 });
  const asked = request({
    port,
    host: "127.0.0.1",
    headers: { "Upstash-Forward-Long": "x".repeat(200_000), Connection: "keep-alive" },
  });
  asked.end();
  const [answer] = await once(asked, "response");
  expect(answer.statusCode).toBe(200);
  expect(answer.headers["keep-alive"]).toBe("timeout=75");
  expect((await answer.toArray()).join("")).toBe("200000");
  server.close();
  server.closeAllConnections();
});
