import { readFileSync } from "node:fs";
import { HEADER } from "@perdure/core/protocol";
import { expect, it } from "vitest";
import { createMetrics } from "../../src/cli/metrics.ts";
import { createServer, fetchTransport, ManualClock, openSqlite } from "../../src/index.ts";
import { APP, failed, ofRun, ok, START } from "../harness.ts";

it("metrics count what happens, for each user", async () => {
  const clock = new ManualClock(START);
  const metrics = createMetrics();
  const server = createServer({
    tenants: ["ann", "bob"].map((user) => ({
      user,
      token: user,
      signingKeys: { current: "sig_a", next: "sig_b" },
      store: metrics.watch(openSqlite(":memory:"), user),
    })),
    clock,
    transport: fetchTransport(1000, async ({ url, headers }) => {
      if (headers.get(HEADER.isFailure)) return ok("{}");
      return url.endsWith("/bad") || url === APP ? failed(500, "x") : ok();
    }),
    onEvent: metrics.observe,
  });
  server.start();
  const publish = async (user: string, url: string, headers: Record<string, string> = {}): Promise<void> => {
    const request = { method: "POST", headers: { Authorization: `Bearer ${user}`, ...headers } };
    const { status } = await server.fetch(new Request(`http://engine.test/v2/publish/${url}`, request));
    metrics.answered(status);
  };
  await publish("ann", "https://a.test/good");
  await publish("ann", "https://a.test/bad", { [HEADER.retries]: "1", [HEADER.retryDelay]: "1000" });
  await publish("ann", "https://a.test/late", { [HEADER.delay]: "1h" });
  await publish("bob", APP, { ...ofRun("wfr_1", "true"), [HEADER.retries]: "0" });
  await publish("bob", "nowhere");
  await server.idle();
  clock.advance(1000);
  await server.idle();
  const text = await (await metrics.render()).text();
  for (const line of [
    'perdure_messages_total{user="ann",state="CREATED"} 3',
    'perdure_messages_total{user="ann",state="ACTIVE"} 3',
    'perdure_messages_total{user="ann",state="DELIVERED"} 1',
    'perdure_messages_total{user="ann",state="RETRY"} 1',
    'perdure_messages_total{user="ann",state="ERROR"} 2',
    'perdure_messages_total{user="ann",state="FAILED"} 1',
    'perdure_runs_total{user="bob",state="RUN_STARTED"} 1',
    'perdure_runs_total{user="bob",state="RUN_FAILED"} 1',
    'perdure_delivery_seconds_count{user="ann"} 3',
    'perdure_delivery_lag_seconds_count{user="ann"} 2',
    'perdure_queue_messages{user="ann",state="due"} 0',
    'perdure_queue_messages{user="ann",state="waiting"} 1',
    'perdure_queue_messages{user="bob",state="waiting"} 0',
    'perdure_dead_letters{user="ann"} 1',
    'perdure_http_answers_total{status="200"} 4',
    'perdure_http_answers_total{status="404"} 1',
    'perdure_store_seconds_count{operation="accept"} 4',
  ]) {
    expect(text.split("\n")).toContain(line);
  }
  await server.stop({ deadline: 0 });
});

it("the Grafana dashboard shows only metrics that exist, and all of them", async () => {
  const names = (text: string): Set<string> =>
    new Set(text.match(/perdure_[a-z_]+/g)?.map((name) => name.replace(/_(?:bucket|sum|count)$/, "")));
  const dashboard = readFileSync(new URL("../../../../docs/grafana.json", import.meta.url), "utf8");
  const exported = names(await (await createMetrics().render()).text());
  expect(names(dashboard)).toEqual(exported);
});
