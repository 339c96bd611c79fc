import { once } from "node:events";
import { createServer, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
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

it("reads a URL in a header as UTF-8 where its bytes are that, and says why a raw one in the path can't be read", async () => {
  const token = "t";
  const engine = createEngine({ store: ":memory:", token, signingKeys: { current: "sig_c", next: "sig_n" } });
  const { server, port } = await listen(engine.fetch, { host: "127.0.0.1", port: 0 });
  const send = async (path: string, callback: string, forwarded: string): Promise<string> => {
    const socket = connect(port, "127.0.0.1");
    socket.end(
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n` +
        `Upstash-Callback: ${callback}\r\nUpstash-Forward-X-Note: ${forwarded}\r\nContent-Length: 0\r\n\r\n`,
      "utf8",
    );
    return (await socket.toArray()).join("");
  };
  expect(await send("/v2/publish/https://a.test/", "https://a.test/日本?q=é", "回")).toMatch(
    /^HTTP\/1.1 200 /,
  );
  const headers = { Authorization: `Bearer ${token}` };
  const [log] = (
    (await (await engine.fetch(new Request("http://engine.test/v2/logs", { headers }))).json()) as {
      logs: { callback: string; header: Record<string, string[]> }[];
    }
  ).logs;
  expect(log?.callback).toBe("https://a.test/%E6%97%A5%E6%9C%AC?q=%C3%A9");
  // What is forwarded keeps its bytes.
  const [, note = []] =
    Object.entries(log?.header ?? {}).find(([name]) => name.toLowerCase() === "x-note") ?? [];
  expect(Buffer.from(note[0] ?? "", "latin1").toString()).toBe("回");
  expect(await send("/v2/publish/https://a.test/日本", "https://a.test/", "")).toMatch(
    /^HTTP\/1.1 400 .*percent-encode everything beyond ASCII/s,
  );
  server.close();
  server.closeAllConnections();
});
