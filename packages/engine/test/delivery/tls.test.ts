import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createEngine } from "../../src/index.ts";

const plain = createServer((_, response) => response.end());
beforeAll(() => new Promise<void>((resolve) => void plain.listen(0, "127.0.0.1", resolve)));
afterAll(() => void plain.close());

it("an attempt by https:// at a server without TLS says what is wrong, in one line", async () => {
  const signingKeys = { current: "sig_a", next: "sig_b" };
  const engine = createEngine({ store: ":memory:", token: "t", signingKeys });
  engine.start();
  const { port } = plain.address() as AddressInfo;
  await engine.publish({ url: `https://127.0.0.1:${port}/`, retries: 0 });
  await expect.poll(async () => (await engine.dlq.list({})).messages).toHaveLength(1);
  const { logs } = await engine.logs.list({ state: "ERROR" });
  expect(logs[0]?.error).toBe(
    "TLS failed (wrong version number): the server speaks no TLS, call it by http://",
  );
  await engine.stop();
});
