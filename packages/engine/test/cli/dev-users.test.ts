import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PUBLIC_USERS } from "@perdure/core/protocol";
import { expect, it } from "vitest";

const CLI = fileURLToPath(new URL("../../src/cli.ts", import.meta.url));

it("perdure dev knows its public users by their tokens, and keeps their data apart", async () => {
  const folder = mkdtempSync(join(tmpdir(), "perdure users "));
  const child = spawn(process.execPath, [CLI, "dev", "--port", "0"], {
    cwd: folder,
    env: { PATH: "", NO_COLOR: "1" },
  });
  let said = "";
  child.stdout.on("data", (part) => (said += part));
  await expect.poll(() => said, { interval: 10 }).toContain("NEXT_SIGNING_KEY");
  const url = /running at (\S+)/.exec(said)?.[1];
  const ask = async (token: string, path: string, init: RequestInit = {}): Promise<unknown> =>
    (
      await fetch(url + path, {
        ...init,
        headers: { Authorization: `Bearer ${token}`, "Upstash-Delay": "1d" },
      })
    ).json();
  expect(existsSync(join(folder, ".perdure", "dev.testUser1.db"))).toBe(false);
  const ids: string[] = [];
  for (const { token, signingKeys } of PUBLIC_USERS) {
    expect(await ask(token, "/v2/keys")).toEqual(signingKeys);
    const sent = (await ask(token, "/v2/publish/http://localhost:1/", { method: "POST" })) as {
      messageId: string;
    };
    ids.push(sent.messageId);
  }
  for (const [at, { token }] of PUBLIC_USERS.entries()) {
    const seen = await Promise.all(ids.map((id) => ask(token, `/v2/messages/${id}`)));
    expect(seen.map((answer) => "messageId" in (answer as object))).toEqual(
      ids.map((_, other) => other === at),
    );
  }
  expect(existsSync(join(folder, ".perdure", "dev.testUser1.db"))).toBe(true);
  child.kill("SIGTERM");
  expect((await once(child, "exit"))[0]).toBe(0);
  rmSync(folder, { recursive: true });
});
