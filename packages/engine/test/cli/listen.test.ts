import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { listen } from "../../src/cli/listen.ts";
import { createEngine } from "../../src/index.ts";

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

it("takes a destination as the URL that it is, dots and braces and all", async () => {
  const token = "t";
  const engine = createEngine({ store: ":memory:", token, signingKeys: { current: "sig_c", next: "sig_n" } });
  const seen: string[] = [];
  const app = createServer((asked, answer) => {
    seen.push(asked.url as string);
    answer.end();
  }).listen(0, "127.0.0.1");
  await once(app, "listening");
  const url = `http://127.0.0.1:${(app.address() as AddressInfo).port}`;
  const { server, port } = await listen(engine.fetch, { host: "127.0.0.1", port: 0 });
  const paths = ["/a/../b", "/a/./b//c", "/%2e%2e/x", "/{id}?q={}|^", "/trail/?"];
  for (const path of paths) {
    const headers = { Authorization: `Bearer ${token}` };
    const asked = request({ port, method: "POST", path: `/v2/publish/${url}${path}`, headers }).end();
    const [answer] = await once(asked, "response");
    const published = JSON.parse((await answer.toArray()).join(""));
    expect(published.url).toBe(new URL(url + path).href);
  }
  engine.start();
  await engine.idle();
  const urls = paths.map((path) => new URL(url + path));
  expect(seen.sort()).toEqual(
    urls.map(({ pathname, search, href }) => pathname + (href.endsWith("?") ? "?" : search)).sort(),
  );
  await engine.stop();
  for (const one of [server, app]) {
    one.close();
    one.closeAllConnections();
  }
});

it("answers strangers while their bodies are still on their way", async () => {
  const engine = createEngine({
    store: ":memory:",
    token: "t",
    signingKeys: { current: "sig_c", next: "sig_n" },
  });
  const { server, port } = await listen(engine.fetch, { host: "127.0.0.1", port: 0 });
  const statusOf = async (path: string, headers: Record<string, string | number> = {}) => {
    const asked = request({ port, host: "127.0.0.1", method: "POST", path, headers });
    asked.write("x".repeat(100_000));
    const [answer] = await once(asked, "response");
    asked.destroy();
    return answer.statusCode;
  };
  const announced = { "Content-Length": 1_000_000 };
  const hook = "/v2/workflows/hooks/default/wfr_1/evt_1";
  expect(await statusOf(hook, announced)).toBe(404);
  expect(await statusOf(hook)).toBe(404);
  expect(await statusOf("/v2/batch", announced)).toBe(401);
  expect(await statusOf("/v2/nothing", { ...announced, Authorization: "Bearer t" })).toBe(404);
  await engine.stop();
  server.close();
  server.closeAllConnections();
});
