import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { expect, it, onTestFinished } from "vitest";
import { createEngine, type EngineEvent } from "../../src/index.ts";

it("a list that is in progress when its engine stops is refused, and is no fault", async () => {
  const folder = mkdtempSync(join(tmpdir(), "perdure-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const events: EngineEvent[] = [];
  const { token, currentSigningKey: current, nextSigningKey: next } = DEV_CREDENTIALS;
  const engine = createEngine({
    store: join(folder, "perdure.db"),
    token,
    signingKeys: { current, next },
    onEvent: (event) => events.push(event),
  });
  engine.start();
  const headers = { Authorization: `Bearer ${token}` };
  const list = engine.fetch(new Request("http://engine.test/v2/workflows/logs", { headers }));
  await engine.stop();
  // The thread of lists takes longer to begin than the engine to stop.
  expect((await list).status).toBe(503);
  expect(events).toEqual([]);
});
