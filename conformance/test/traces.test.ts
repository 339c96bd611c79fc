import { history, runHeaders } from "@perdure/test-support/delivery";
import { Recorder } from "@perdure/test-support/recorder";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runtimes, startApp } from "../src/runtimes.ts";

let engine: Recorder;
beforeAll(async () => {
  engine = await Recorder.start();
});
afterAll(() => engine.stop());

it("traces a delivery and its step on workerd", async () => {
  const env = { QSTASH_URL: engine.url, QSTASH_TOKEN: "token" };
  const app = await startApp("traced", runtimes.workerdCompat)(env);
  try {
    const delivered = await fetch(`${app.url}/order`, {
      method: "POST",
      headers: runHeaders(),
      body: history({}, []),
    });
    expect(delivered.status).toBe(200);
    const spans = (await (await fetch(`${app.url}/spans`)).json()) as {
      name: string;
      id: string;
      parent?: string;
    }[];
    const [card, step, delivery] = spans;
    expect(spans.map(({ name }) => name)).toEqual(["card", "step charge", "process /api/order"]);
    expect([card?.parent, step?.parent, delivery?.parent]).toEqual([step?.id, delivery?.id, undefined]);
  } finally {
    await app.stop();
  }
});
