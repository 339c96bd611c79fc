import { join } from "node:path";
import { Client } from "@perdure/core";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { EngineProcess, temporaryFolder } from "@perdure/test-support/process";
import type { TriggerOptions } from "@upstash/workflow";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Endpoint } from "./support/endpoint.ts";
import { type Failure, type FailureFunction, type Made, sdks, type Workflow } from "./support/sdks.ts";
import { ended, officialClient } from "./support/views.ts";

const folder = temporaryFolder();
let engine: EngineProcess;
let app: Endpoint;
let serial = 0;
beforeAll(async () => {
  engine = await EngineProcess.start(join(folder.path, "engine.db"));
  app = await Endpoint.start();
});
afterAll(async () => {
  await app.stop();
  await engine.process.kill("SIGTERM");
  folder.remove();
});

const ours = () => new Client({ baseUrl: engine.url, token: DEV_CREDENTIALS.token });
const FIVE_MIB = "x".repeat(5 * 1024 * 1024);

describe.each(sdks)("a workflow served by $name", (sdk) => {
  function at(workflow: Workflow, failureFunction?: FailureFunction): string {
    return app.at(`/steps-${++serial}`, sdk.serve(engine.url, workflow, failureFunction));
  }

  async function begin(url: string, options: Partial<TriggerOptions> = {}): Promise<string> {
    const trigger = { url, retries: 0, ...options } as TriggerOptions;
    return (await officialClient(engine.url).trigger(trigger)).workflowRunId;
  }

  async function perform(workflow: Workflow, options?: Partial<TriggerOptions>) {
    const run = await ended(engine.url, await begin(at(workflow), options));
    return { run, result: run.workflowRunResponse ? JSON.parse(run.workflowRunResponse) : undefined };
  }

  /** Waits until somebody waits for an event. */
  async function waiter(eventId: string): Promise<void> {
    while ((await officialClient(engine.url).getWaiters({ eventId })).length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  describe("call", () => {
    it("brings the answer of a third party, and its own headers don't leak", async () => {
      const seen: Headers[] = [];
      const url = app.at(`/third-${++serial}`, async (request) => {
        seen.push(request.headers);
        return Response.json(
          { got: await request.text(), method: request.method },
          { status: 201, headers: { "X-Third": "t" } },
        );
      });
      const { result, run } = await perform(
        (context) => context.call("third", { url, method: "POST", body: "größe", headers: { "X-A": "a" } }),
        { headers: { "X-User": "u" } },
      );
      expect(result).toMatchObject({ status: 201, body: { got: "größe", method: "POST" } });
      const header: [string, string[]][] = Object.entries(result.header);
      expect(header.find(([name]) => name.toLowerCase() === "x-third")?.[1]).toEqual(["t"]);
      expect(seen).toHaveLength(1);
      expect(seen[0]?.get("X-A")).toBe("a");
      expect([...(seen[0]?.keys() ?? [])].filter((name) => /^upstash-workflow|^x-user/.test(name))).toEqual(
        [],
      );
      expect(run.steps.at(-1)?.steps[0]).toMatchObject({
        stepName: "third",
        stepType: "Call",
        callUrl: url,
        callResponseStatus: 201,
      });
    });

    it("that fails for good is a result like any other", async () => {
      let attempts = 0;
      const url = app.at(`/third-${++serial}`, () => {
        attempts++;
        return new Response("busy", { status: 503 });
      });
      const { run, result } = await perform((context) =>
        context.call("third", { url, retries: 2, retryDelay: "1" }),
      );
      expect(run.workflowState).toBe("RUN_SUCCESS");
      expect(result).toMatchObject({ status: 503, body: "busy" });
      expect(attempts).toBe(3);
      expect((await ours().dlq.list({ filter: { workflowRunId: run.workflowRunId } })).messages).toEqual([]);
    });

    it("succeeds at a second attempt", async () => {
      let attempts = 0;
      const url = app.at(
        `/third-${++serial}`,
        () => new Response("ok", { status: ++attempts < 2 ? 500 : 200 }),
      );
      expect(
        (await perform((context) => context.call("third", { url, retries: 3, retryDelay: "1" }))).result,
      ).toMatchObject({ status: 200 });
      expect(attempts).toBe(2);
    });

    it("in a group, beside others", async () => {
      const url = app.at(`/third-${++serial}`, () => Response.json(1));
      const { result } = await perform(async (context) => {
        const [a, b] = await Promise.all([context.call<number>("a", { url }), context.run("b", () => 2)]);
        return a.body + b;
      });
      expect(result).toBe(3);
    });
  });

  describe("events", () => {
    it("wake a run that waits", async () => {
      const eventId = `order:${++serial}`;
      const runId = await begin(
        at((context) => context.waitForEvent("approval", eventId, { timeout: "1h" })),
      );
      await waiter(eventId);
      const told = await officialClient(engine.url).notify({ eventId, eventData: { by: "größe" } });
      expect(told).toHaveLength(1);
      const run = await ended(engine.url, runId);
      expect(JSON.parse(run.workflowRunResponse ?? "")).toEqual({
        timeout: false,
        eventData: { by: "größe" },
      });
    });

    it("that don't come in time are told so", async () => {
      const { result } = await perform((context) =>
        context.waitForEvent("approval", `never-${++serial}`, { timeout: 1 }),
      );
      expect(result.timeout).toBe(true);
      expect(result.eventData).toBeUndefined();
    });

    it("for one run may come before it waits", async () => {
      const eventId = `early-${++serial}`;
      const workflow: Workflow = async (context) => {
        await context.sleep("later", 1);
        return context.waitForEvent("approval", eventId, { timeout: "1h" });
      };
      const workflowRunId = await begin(at(workflow));
      await ours().notify({ eventId, eventData: "early", workflowRunId });
      const run = await ended(engine.url, workflowRunId);
      expect(JSON.parse(run.workflowRunResponse ?? "")).toEqual({ timeout: false, eventData: "early" });
    });

    it("are told by another run", async () => {
      const eventId = `told-${++serial}`;
      const waiting = await begin(
        at((context) => context.waitForEvent("approval", eventId, { timeout: "1h" })),
      );
      await waiter(eventId);
      const { result } = await perform((context) => context.notify("tell", eventId, { a: 1 }));
      expect(result).toMatchObject({
        eventId,
        eventData: { a: 1 },
        notifyResponse: [{ messageId: expect.any(String) }],
      });
      expect((await ended(engine.url, waiting)).workflowState).toBe("RUN_SUCCESS");
    });
  });

  describe("webhooks", () => {
    it("take requests, also before they are waited for, one after the other", async () => {
      let address = "";
      const workflow: Workflow = async (context) => {
        const webhook = await context.createWebhook("hook");
        await context.run("publish", () => {
          address = webhook.webhookUrl;
        });
        await context.sleep("late", 1);
        const seen = [];
        for (const name of ["first", "second"]) {
          const { request } = await context.waitForWebhook(name, webhook, "1h");
          seen.push([request?.method, new URL(String(request?.url)).search, await request?.clone().text()]);
        }
        return seen;
      };
      const runId = await begin(at(workflow));
      while (address === "") await new Promise((resolve) => setTimeout(resolve, 10));
      expect(address.startsWith(engine.url)).toBe(true);
      expect((await fetch(`${address}?n=1`, { method: "POST", body: "größe" })).ok).toBe(true);
      expect((await fetch(`${address}?n=2`)).ok).toBe(true);
      const run = await ended(engine.url, runId);
      expect(JSON.parse(run.workflowRunResponse ?? "")).toEqual([
        ["POST", "?n=1", "größe"],
        ["GET", "?n=2", ""],
      ]);
    });
  });

  describe("invoke", () => {
    function many(parent: (children: Record<"good" | "bad" | "slow", Made>) => Workflow): string {
      const children = {
        good: sdk.make(async (context) => ({
          twice: await context.run("double", () => Number(context.requestPayload) * 2),
        })),
        bad: sdk.make((context) =>
          context.run("break", () => Promise.reject(new sdk.NonRetryable("broken"))),
        ),
        slow: sdk.make((context) => context.sleep("long", 3600)),
      };
      const handler = sdk.serveMany(engine.url, { ...children, parent: sdk.make(parent(children)) });
      const base = `/many-${++serial}`;
      for (const key of ["good", "bad", "slow"]) app.at(`${base}/${key}`, handler);
      return app.at(`${base}/parent`, handler);
    }

    it("waits for children in parallel, and learns how each ended", async () => {
      const url = many(({ good, bad }) => async (context) => {
        const [one, two, three] = await Promise.all([
          context.invoke("one", { workflow: good as never, body: 1, retries: 0 }),
          context.invoke("two", { workflow: good as never, body: 2, retries: 0 }),
          context.invoke("three", { workflow: bad as never, body: 3, retries: 0 }),
        ]);
        return [one.body, two.body, three.isFailed, three.isCanceled, three.body === undefined];
      });
      const run = await ended(engine.url, await begin(url));
      expect(JSON.parse(run.workflowRunResponse ?? "")).toEqual([
        { twice: 2 },
        { twice: 4 },
        true,
        false,
        true,
      ]);
    });

    it("learns that a child was cancelled", async () => {
      const name = `kid-${serial}`;
      const url = many(({ slow }) => async (context) => {
        const { isCanceled } = await context.invoke("kid", {
          workflow: slow as never,
          body: 1,
          workflowRunId: name,
          retries: 0,
        });
        return isCanceled;
      });
      const runId = await begin(url);
      while ((await ours().runs.get(`wfr_${name}`)) === undefined)
        await new Promise((resolve) => setTimeout(resolve, 20));
      expect(await ours().cancel(`wfr_${name}`)).toEqual({ cancelled: 1 });
      expect((await ended(engine.url, runId)).workflowRunResponse).toBe("true");
    });
  });

  describe("cancel", () => {
    it("by the workflow itself ends the run without a failure", async () => {
      const failures: Failure[] = [];
      const url = at(
        async (context) => {
          await context.run("one", () => 1);
          await context.cancel();
        },
        (failure) => void failures.push(failure),
      );
      const run = await ended(engine.url, await begin(url));
      expect(run.workflowState).toBe("RUN_CANCELED");
      expect(failures).toEqual([]);
    });

    it("by a client ends a run that sleeps", async () => {
      const runId = await begin(at((context) => context.sleep("long", 3600)));
      expect(await officialClient(engine.url).cancel(runId)).toEqual({ cancelled: 1 });
      expect((await ended(engine.url, runId)).workflowState).toBe("RUN_CANCELED");
    });
  });

  describe("5 MiB", () => {
    it("of payload and of a step's result go through", async () => {
      const { result } = await perform(
        async (context) => {
          const big = await context.run("big", () => FIVE_MIB);
          return context.run("sizes", () => [String(context.requestPayload).length, big.length]);
        },
        { body: FIVE_MIB },
      );
      expect(result).toEqual([FIVE_MIB.length, FIVE_MIB.length]);
    });

    // The official SDK loses an answer that is too large to be sent along.
    if (sdk.name !== "@upstash/workflow") {
      it("of an answer to a call go through", async () => {
        const url = app.at(
          `/third-${++serial}`,
          () => new Response(FIVE_MIB, { headers: { "Content-Type": "text/plain" } }),
        );
        const { result } = await perform(async (context) => {
          const { body } = await context.call<string>("big", { url });
          return body.length;
        });
        expect(result).toBe(FIVE_MIB.length);
      });
    }
  });

  describe("a failed run", () => {
    it("is resumed where it failed, and only what is missing runs", async () => {
      const ran: string[] = [];
      let broken = true;
      const url = at(async (context) => {
        const one = await context.run("one", () => ran.push("one"));
        const [a, b] = await Promise.all([
          context.run("a", () => ran.push("a")),
          context.run("b", () => {
            if (broken) throw new sdk.NonRetryable("not yet");
            return ran.push("b");
          }),
        ]);
        return [one, a, b];
      });
      const failed = await ended(engine.url, await begin(url));
      expect(failed.workflowState).toBe("RUN_FAILED");
      broken = false;
      const { workflowRuns } = await ours().dlq.resume(String(failed.dlqId));
      const run = await ended(engine.url, String(workflowRuns[0]?.workflowRunId));
      expect(run.workflowState).toBe("RUN_SUCCESS");
      expect(ran.filter((name) => name === "one")).toEqual(["one"]);
      expect(ran.filter((name) => name === "b")).toEqual(["b"]);
      expect((await ours().dlq.list({ filter: { workflowRunId: failed.workflowRunId } })).messages).toEqual(
        [],
      );
    });

    it("is restarted from its beginning", async () => {
      let runs = 0;
      const url = at((context) =>
        context.run("one", () => {
          if (++runs === 1) throw new sdk.NonRetryable("not yet");
          return context.requestPayload;
        }),
      );
      const failed = await ended(engine.url, await begin(url, { body: { a: 1 } }));
      const { workflowRuns } = await ours().dlq.restart(String(failed.dlqId), { retries: 1 });
      const run = await ended(engine.url, String(workflowRuns[0]?.workflowRunId));
      expect(run).toMatchObject({ workflowState: "RUN_SUCCESS", workflowRunResponse: '{"a":1}' });
    });

    it("has its failure function called again, when that has failed itself", async () => {
      let calls = 0;
      const url = at(
        (context) => context.run("one", () => Promise.reject(new sdk.NonRetryable("no"))),
        () => {
          if (++calls === 1) throw new Error("mail server down");
          return "mailed";
        },
      );
      const failed = await ended(engine.url, await begin(url));
      expect(failed.failureFunction?.state).toBe("CALLBACK_FAIL");
      await ours().dlq.retryFailureFunction({ dlqId: String(failed.dlqId) });
      const again = await ended(engine.url, failed.workflowRunId);
      expect(again.failureFunction?.state).toBe("CALLBACK_SUCCESS");
    });
  });
});
