import { copyFileSync, mkdirSync, renameSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { useDesk } from "./desk.ts";

const { folder, run } = useDesk();

const TOKEN = "token-0123456789abcdef";
const ENV = {
  PERDURE_TOKEN: TOKEN,
  PERDURE_CURRENT_SIGNING_KEY: "sig_a0123456789abcdef",
  PERDURE_NEXT_SIGNING_KEY: "sig_b0123456789abcdef",
};

interface Loss {
  readonly lose: (db: string) => void;
  readonly reason: RegExp;
}

const GONE = /data\/a\.db was deleted or replaced\.$/;

const LOSSES: Readonly<Record<string, Loss>> = {
  deleted: { lose: (db) => unlinkSync(db), reason: GONE },
  "replaced by a copy of itself": {
    lose(db) {
      copyFileSync(db, `${db}.copy`);
      renameSync(`${db}.copy`, db);
    },
    reason: GONE,
  },
  "without its write-ahead log": {
    lose: (db) => unlinkSync(`${db}-wal`),
    reason: /write-ahead log \S+-wal was deleted or replaced\. Stop the engine/,
  },
};

describe("a database that is lost while the engine runs:", () => {
  it.each(Object.entries(LOSSES))(
    "%s",
    async (_name, { lose, reason }) => {
      mkdirSync(join(folder(), "data"), { mode: 0o700 });
      const engine = run(["start", "--port", "0", "--db", "data/a.db"], ENV);
      await engine.saying(/"listening"/);
      const lines = () =>
        engine
          .said()
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line));
      const url = lines().find(({ event }) => event === "listening").url;
      const headers = { Authorization: `Bearer ${TOKEN}`, [HEADER.delay]: "1h" };
      const publish = () =>
        fetch(`${url}/v2/publish/https://example.com/`, { method: "POST", headers, body: "{}" });
      expect((await publish()).status).toBe(200);
      expect((await fetch(`${url}/ready`)).status).toBe(200);
      // The search's threads have opened the database, and have nothing to do.
      expect((await fetch(`${url}/v2/workflows/runs?search=none`, { headers })).status).toBe(200);

      lose(join(folder(), "data", "a.db"));
      for (let at = 0; at < 5; at++) {
        const refused = await publish();
        expect(refused.status).toBe(503);
        expect(refused.headers.get("Retry-After")).toBe("5");
        // The path is for the engine's own log.
        expect(await refused.text()).not.toContain("a.db");
      }
      expect((await fetch(`${url}/ready`)).status).toBe(503);
      expect((await fetch(`${url}/health`)).status).toBe(200);
      const faults = lines().filter(({ level }) => level === "error");
      expect(faults.map(({ error }) => error)).toEqual([expect.stringMatching(reason)]);
      engine.child.kill("SIGTERM");
      expect(await engine.exit()).toBe(0);
    },
    20_000,
  );
});
