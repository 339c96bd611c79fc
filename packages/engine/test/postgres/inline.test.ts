import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve as listen } from "@hono/node-server";
import { Client, serve, type WorkflowContext } from "@perdure/core";
import { HEADER } from "@perdure/core/protocol";
import { newDatabase } from "@perdure/test-support/postgres-database";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withClient } from "./database.ts";
import { type EngineProcess, KEYS, TOKEN, useProcesses } from "./processes.ts";

const { start } = useProcesses();

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    if ("closeAllConnections" in server) server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** Serves on a free port. @returns the URL */
async function serveAt(fetch: (request: Request) => Response | Promise<Response>): Promise<string> {
  const server = listen({ fetch, hostname: "127.0.0.1", port: 0, overrideGlobalObjects: false }) as Server;
  servers.push(server);
  if (!server.listening) await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A load balancer: each request goes to the next engine, and to another one if that is dead. */
async function balance(engines: readonly EngineProcess[]) {
  const taken = engines.map(() => [] as string[]);
  let turn = 0;
  const url = await serveAt(async (request) => {
    const { pathname, search } = new URL(request.url);
    const body = request.method === "GET" ? undefined : await request.arrayBuffer();
    const headers = new Headers(request.headers);
    for (const name of ["host", "connection", "content-length", "transfer-encoding"]) headers.delete(name);
    for (;;) {
      const at = turn++ % engines.length;
      try {
        const response = await fetch(`${engines[at]?.url}${pathname}${search}`, {
          method: request.method,
          headers,
          ...(body === undefined ? {} : { body }),
        });
        taken[at]?.push(pathname);
        return new Response(await response.arrayBuffer(), {
          status: response.status,
          headers: response.headers,
        });
      } catch {
        // This engine is dead.
      }
    }
  });
  const appends = (): number[] =>
    taken.map((paths) => paths.filter((path) => path.endsWith("/append")).length);
  return { url, appends };
}

/** Two engines behind a load balancer, and a workflow. */
async function stage(workflow: (context: WorkflowContext) => Promise<unknown>) {
  const db = newDatabase();
  const engines = await Promise.all([start(db), start(db)]);
  const proxy = await balance(engines);
  const deliveries: Headers[] = [];
  const { handler } = serve(workflow, {
    env: {
      QSTASH_URL: proxy.url,
      QSTASH_TOKEN: TOKEN,
      QSTASH_CURRENT_SIGNING_KEY: KEYS.current,
      QSTASH_NEXT_SIGNING_KEY: KEYS.next,
    },
  });
  const app = await serveAt((request) => {
    deliveries.push(request.headers);
    return handler(request);
  });
  const client = new Client({ baseUrl: proxy.url, token: TOKEN });
  return { db, engines, proxy, deliveries, client, url: `${app}/wf` };
}

/**
 * Notes in the table `lost` when a delivery loses its lease. On a machine that stands still for some seconds that is right: its
 * engine isn't seen meanwhile, and another one takes the delivery over.
 */
async function noteLostLeases(db: string): Promise<() => Promise<number>> {
  await withClient(db, async (client) => {
    await client.unsafe(`CREATE TABLE lost (message BIGINT);
      CREATE FUNCTION note_lost() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO lost VALUES (OLD.message); RETURN NULL; END $$;
      CREATE TRIGGER note_lost AFTER UPDATE ON due FOR EACH ROW
        WHEN (OLD.status = 'delivering' AND NEW.retried = OLD.retried AND (NEW.status = 'scheduled' OR NEW.fence > OLD.fence))
        EXECUTE FUNCTION note_lost()`);
  });
  return async () => (await withClient(db, (client) => client`SELECT message FROM lost`)).length;
}

const ended = (client: Client, id: string, state: string) =>
  expect.poll(async () => (await client.runs.get(id))?.workflowState, { interval: 50 }).toBe(state);

/** A step that lasts until the test opens it. */
function gate() {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}

describe("inline execution with two engines behind one address", () => {
  let done: string[] = [];
  beforeEach(() => {
    done = [];
  });
  const step = (context: WorkflowContext, name: string, work: () => unknown = () => name) =>
    context.run(name, () => {
      done.push(name);
      return work();
    });

  it("appends reach either engine, and one delivery carries the run for as long as it keeps its lease", async () => {
    const steps = Array.from({ length: 12 }, (_, at) => `step ${at}`);
    const { client, url, deliveries, proxy, db } = await stage(async (context) => {
      for (const name of steps) await step(context, name);
      return "done";
    });
    const lost = await noteLostLeases(db);
    for (let attempts = 1; ; attempts++) {
      done = [];
      deliveries.length = 0;
      const lostBefore = await lost();
      const { workflowRunId } = await client.trigger({ url });
      await ended(client, workflowRunId, "RUN_SUCCESS");
      // Whatever has happened, each step is on record once.
      const groups = (await client.runs.get(workflowRunId))?.steps ?? [];
      const recorded = groups.flatMap((group) => (group.type === "sequential" ? group.steps : []));
      expect(recorded.map(({ stepName }) => stepName)).toEqual(["init", ...steps]);
      if ((await lost()) > lostBefore && attempts < 3) continue;
      expect(done).toEqual(steps);
      expect(deliveries.filter((headers) => headers.has(HEADER.lease))).toHaveLength(1);
      break;
    }
    for (const appends of proxy.appends()) expect(appends).toBeGreaterThan(1);
  });

  it("news of events, calls and children reach the invocation, whichever engine has heard of them", async () => {
    const held = gate();
    const { client, url, deliveries } = await stage(async (context) => {
      const [slow, event, called] = await Promise.all([
        step(context, "slow", () => held.opened.then(() => "slow")),
        context.waitForEvent("wait", "e", { timeout: "1m" }).then(async (got) => {
          await step(context, "after the event");
          return got.eventData;
        }),
        (async () => {
          await context.sleep("rest", "1s");
          return step(context, "after the sleep");
        })(),
      ]);
      return { slow, event, called };
    });
    const { workflowRunId } = await client.trigger({ url });
    await expect.poll(async () => (await client.notify({ eventId: "e", eventData: 7 })).length).toBe(1);
    held.open();
    await ended(client, workflowRunId, "RUN_SUCCESS");
    const run = await client.runs.get(workflowRunId);
    expect(JSON.parse(run?.workflowRunResponse ?? "")).toEqual({
      slow: "slow",
      event: 7,
      called: "after the sleep",
    });
    expect(done.sort()).toEqual(["after the event", "after the sleep", "slow"]);
    expect(deliveries.length).toBeGreaterThan(0);
  });

  it("a cancellation at one engine stops an invocation that another one has delivered, at its next append", async () => {
    const held = gate();
    const { client, url } = await stage(async (context) => {
      await step(context, "first");
      await step(context, "second", () => held.opened);
      await step(context, "third");
    });
    const { workflowRunId } = await client.trigger({ url });
    await expect.poll(() => done).toEqual(["first", "second"]);
    await client.cancel([workflowRunId]);
    held.open();
    await ended(client, workflowRunId, "RUN_CANCELED");
    // A later run shows that the engines go on.
    const next = await client.trigger({ url });
    await ended(client, next.workflowRunId, "RUN_SUCCESS");
    expect(done).toEqual(["first", "second", "first", "second", "third"]);
  });

  it("an invocation loses its lease with the engine that delivered it: another one goes on, and records once", async () => {
    const held = gate();
    const { client, url, engines, deliveries } = await stage(async (context) => {
      await step(context, "first");
      const isFirst = !done.includes("second");
      await step(context, "second", async () => {
        if (isFirst) await held.opened;
        return isFirst ? "by the first invocation" : "by the second one";
      });
      return step(context, "third");
    });
    const { workflowRunId } = await client.trigger({ url });
    await expect.poll(() => done).toEqual(["first", "second"]);
    // The engine that delivers knows the connection.
    const holders = await Promise.all(engines.map(isDelivering));
    expect(holders.filter(Boolean)).toHaveLength(1);
    await engines[holders.indexOf(true)]?.kill();
    await ended(client, workflowRunId, "RUN_SUCCESS");
    expect(done).toEqual(["first", "second", "second", "third"]);
    held.open();
    // The first invocation ends at its next append: it begins no further step.
    await expect.poll(() => deliveries.filter((headers) => headers.has(HEADER.lease)).length).toBe(2);
    const recorded = JSON.stringify((await client.runs.get(workflowRunId))?.steps);
    expect(recorded).toContain("by the second one");
    expect(recorded).not.toContain("by the first invocation");
    expect(done).toEqual(["first", "second", "second", "third"]);
  });
});

/** Whether an engine has a delivery under way. */
async function isDelivering(engine: EngineProcess): Promise<boolean> {
  const response = await engine.ask("GET", "/v2/globalParallelism");
  const { parallelismCount } = (await response.json()) as { readonly parallelismCount: number };
  return parallelismCount > 0;
}
