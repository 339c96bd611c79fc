import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve as listen } from "@hono/node-server";
import { Client, serve, type WorkflowContext, WorkflowNonRetryableError } from "@perdure/core";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { createEngine, type Engine, fetchTransport, ManualClock, type Store } from "@perdure/engine";
import { MODE } from "@perdure/test-support/mode";
import { environment } from "@perdure/test-support/process";
import { sampledCount } from "@perdure/test-support/sample";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openStore } from "./support/stores.ts";
import { ask } from "./support/views.ts";

/** A step that fails some times before it succeeds, perhaps with an error that forbids a retry. */
interface Step {
  readonly kind: "run";
  readonly failures: number;
  readonly final: boolean;
}

type Leaf = Step | { readonly kind: "sleep"; readonly seconds: number };
type Item = Leaf | { readonly kind: "group"; readonly branches: readonly (readonly Leaf[])[] };

interface Plan {
  readonly items: readonly Item[];
  readonly retries: number;
  /** How often the failure function throws before it succeeds. */
  readonly failureFailures: number;
}

const step: fc.Arbitrary<Leaf> = fc.record({
  kind: fc.constant("run" as const),
  failures: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(3) }),
  final: fc.oneof({ weight: 12, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
});
const sleep: fc.Arbitrary<Leaf> = fc.record({
  kind: fc.constant("sleep" as const),
  seconds: fc.nat(100_000),
});
const leaf = fc.oneof({ weight: 4, arbitrary: step }, { weight: 1, arbitrary: sleep });
const group: fc.Arbitrary<Item> = fc.record({
  kind: fc.constant("group" as const),
  branches: fc.array(fc.array(leaf, { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 4 }),
});
const plan: fc.Arbitrary<Plan> = fc.record({
  items: fc.array(fc.oneof({ weight: 3, arbitrary: leaf }, { weight: 1, arbitrary: group }), {
    maxLength: 5,
  }),
  retries: fc.nat(3),
  failureFailures: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(4) }),
});

/** What a run did, seen from inside. */
class Diary {
  readonly attempts = new Map<string, number>();
  readonly successes = new Map<string, number>();
  readonly results = new Map<string, Set<unknown>>();
  failureCalls = 0;

  attempt(name: string): number {
    const attempt = (this.attempts.get(name) ?? 0) + 1;
    this.attempts.set(name, attempt);
    return attempt;
  }

  succeed(name: string): string {
    this.successes.set(name, (this.successes.get(name) ?? 0) + 1);
    return `${name} #${Math.random()}`;
  }

  use(name: string, result: unknown): void {
    this.results.set(name, (this.results.get(name) ?? new Set()).add(result));
  }
}

function perform(context: WorkflowContext, leaf: Leaf, name: string, diary: Diary): Promise<void> {
  if (leaf.kind === "sleep") return context.sleep(name, leaf.seconds);
  const result = context.run(name, () => {
    if (diary.attempt(name) > leaf.failures && !leaf.final) return diary.succeed(name);
    throw leaf.final ? new WorkflowNonRetryableError(name) : new Error(name);
  });
  return result.then((value) => diary.use(name, value));
}

async function performAll(context: WorkflowContext, { items }: Plan, diary: Diary): Promise<void> {
  for (const [at, item] of items.entries()) {
    if (item.kind !== "group") await perform(context, item, `${at}`, diary);
    else {
      await Promise.all(
        item.branches.map(async (branch, b) => {
          for (const [depth, leaf] of branch.entries())
            await perform(context, leaf, `${at}.${b}.${depth}`, diary);
        }),
      );
    }
  }
}

function isDoomed({ items, retries }: Plan): boolean {
  const leaves = items.flatMap((item) => (item.kind === "group" ? item.branches.flat() : [item]));
  return leaves.some((leaf) => leaf.kind === "run" && (leaf.final || leaf.failures > retries));
}

interface Log {
  readonly runs: {
    readonly workflowState: string;
    readonly dlqId?: string;
    readonly failureFunction?: { readonly state: string };
  }[];
}

describe("any workflow", () => {
  const clock = new ManualClock();
  let handler: (request: Request) => Promise<Response> = async () => new Response();
  let store: Store;
  let engine: Engine;
  let api: Server;
  let url: string;
  beforeAll(async () => {
    store = await openStore(":memory:", () => clock.now());
    engine = createEngine({
      store,
      clock,
      token: DEV_CREDENTIALS.token,
      signingKeys: { current: DEV_CREDENTIALS.currentSigningKey, next: DEV_CREDENTIALS.nextSigningKey },
      transport: fetchTransport(1_000_000, (request) => handler(request)),
    });
    engine.start();
    api = listen({
      fetch: (request) => engine.fetch(request),
      hostname: "127.0.0.1",
      port: 0,
      overrideGlobalObjects: false,
    }) as Server;
    if (!api.listening) await new Promise((resolve) => api.once("listening", resolve));
    url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    await engine.stop();
    await store.close();
    api.closeAllConnections();
    api.close();
  });

  /** Lets time pass as fast as the engine has nothing else to do. */
  async function drain(): Promise<void> {
    do await engine.idle();
    while (clock.advanceToNext());
  }

  it("ends once, uses each recorded result ever after, and has its failure function called if and only if it failed", async () => {
    await fc.assert(
      fc.asyncProperty(plan, async (plan) => {
        const diary = new Diary();
        handler = serve((context) => performAll(context, plan, diary), {
          env: environment(url),
          // The engine's clock is a manual one, and the endpoint's isn't: it would wait for retries in vain.
          inline: MODE === "inline" && { maxWait: 0 },
          failureFunction: () => {
            if (++diary.failureCalls <= plan.failureFailures) throw new Error("not yet");
          },
        }).handler;
        const client = new Client({ baseUrl: url, token: DEV_CREDENTIALS.token });
        const trigger = {
          url: "https://app.test/wf",
          retries: plan.retries,
          retryDelay: "1000 * (1 + retried)",
        };
        const { workflowRunId } = await client.trigger(trigger);
        await drain();

        const doomed = isDoomed(plan);
        const { runs } = await ask<Log>(url, `/v2/workflows/logs?workflowRunId=${workflowRunId}`);
        expect(runs).toHaveLength(1);
        expect(runs[0]?.workflowState).toBe(doomed ? "RUN_FAILED" : "RUN_SUCCESS");
        const reported = plan.failureFailures <= plan.retries;
        expect(runs[0]?.failureFunction?.state).toBe(
          doomed ? (reported ? "CALLBACK_SUCCESS" : "CALLBACK_FAIL") : undefined,
        );
        expect(runs[0]?.dlqId !== undefined).toBe(doomed);
        expect(diary.failureCalls).toBe(doomed ? Math.min(plan.failureFailures, plan.retries) + 1 : 0);
        for (const results of diary.results.values()) expect(results.size).toBe(1);
        for (const successes of diary.successes.values()) expect(successes).toBe(1);
        for (const attempts of diary.attempts.values())
          expect(attempts).toBeLessThanOrEqual(plan.retries + 1);
      }),
      {
        numRuns: Number(process.env.RUNS ?? sampledCount(150, 3)),
        ...(process.env.SEED ? { seed: Number(process.env.SEED) } : {}),
      },
    );
  });
});
