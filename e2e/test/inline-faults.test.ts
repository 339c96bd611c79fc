import { DatabaseSync } from "node:sqlite";
import type { ServeOptions, WorkflowFunction } from "@perdure/core";
import { HEADER, type InlineAnswers } from "@perdure/core/protocol";
import { ON_POSTGRES } from "@perdure/test-support/mode";
import { beforeEach, describe, expect, it } from "vitest";
import { Gate, type Lab, until } from "./support/lab.ts";
import { stage, useStage } from "./support/stage.ts";

useStage();

type Send = (request: Request) => Promise<Response>;
/** What becomes of a delivery. `answer` has the endpoint answer it. */
type Around = (answer: () => Promise<Response>, nth: number) => Promise<Response>;

const APPEND = "/v2/workflows/append";

let lab: Lab;
/** Deliveries of runs' histories to the endpoint. */
let deliveries = 0;
/** The answers of the engine to appends. */
let answers: { status: number; body: InlineAnswers }[] = [];
beforeEach(() => {
  lab = stage.lab;
  deliveries = 0;
  answers = [];
  atAppends(() => undefined);
});

/** Has `act` carry some appends: those for which it returns something. */
function atAppends(act: (request: Request, send: Send, nth: number) => Promise<Response> | undefined): void {
  let count = 0;
  lab.network = async (request, send) => {
    if (new URL(request.url).pathname !== APPEND) return send(request);
    const watched: Send = async (sent) => {
      const answer = await send(sent);
      answers.push({ status: answer.status, body: await answer.clone().json() });
      return answer;
    };
    return act(request, watched, ++count) ?? watched(request);
  };
}

const broken = (): never => {
  throw new TypeError("the connection breaks");
};

async function start(
  workflow: WorkflowFunction,
  { trigger = {}, ...options }: ServeOptions & { readonly trigger?: { readonly retries?: number } } = {},
  around: Around = (answer) => answer(),
): Promise<string> {
  const handler = lab.handlerOf(workflow, options);
  const url = lab.at("/wf", (request) => {
    if (!request.headers.has(HEADER.lease)) return handler(request);
    // The endpoint doesn't learn of a connection that breaks.
    const { signal } = new AbortController();
    return around(() => handler(new Request(request.clone(), { signal })), ++deliveries);
  });
  const { workflowRunId } = await lab.client.trigger({ url, retryDelay: "1000", ...trigger });
  return workflowRunId;
}

async function perform(...workflow: Parameters<typeof start>) {
  const runId = await start(...workflow);
  await lab.drain();
  return lab.run(runId);
}

const success = (result: unknown) => ({
  workflowState: "RUN_SUCCESS",
  workflowRunResponse: JSON.stringify(result),
});

/** Counts how often the work of each step was begun. */
function counter() {
  const begun: Record<string, number> = {};
  const count = (name: string): number => {
    begun[name] = (begun[name] ?? 0) + 1;
    return begun[name];
  };
  return { begun, count };
}

describe("inline execution doesn't have this fault", () => {
  it("a wake dispatches while a step is under way: every side effect twice", async () => {
    const { begun, count } = counter();
    const gate = new Gate();
    const runId = await start((context) =>
      Promise.all([
        context.waitForEvent("paid", "paid"),
        context.run("work", async () => {
          count("work");
          await gate.passed;
          return "worked";
        }),
      ]),
    );
    await until(() => begun.work === 1);
    await lab.client.notify({ eventId: "paid", eventData: 1 });
    gate.open();
    await lab.drain();
    expect(await lab.run(runId)).toMatchObject({ workflowState: "RUN_SUCCESS" });
    expect({ begun, deliveries }).toEqual({ begun: { work: 1 }, deliveries: 1 });
  });

  it("a stale holder's write is accepted because the check is sampled, or skipped for young dispatches", async () => {
    const { begun, count } = counter();
    const gate = new Gate();
    const HOLDERS = 20;
    const refused = () => answers.flatMap(({ body }) => body.appends.filter((answer) => "error" in answer));
    const runId = await start(
      async (context) => {
        const value = await context.run("work", async () => {
          const nth = count("work");
          if (nth <= HOLDERS) await gate.passed;
          return nth;
        });
        await context.run("after", () => void count("after"));
        await context.run("last", async () => {
          // Only now the old holders end their work, and each of them appends its result.
          gate.open();
          await until(() => refused().length === HOLDERS);
        });
        return value;
      },
      { trigger: { retries: HOLDERS } },
    );
    for (let holder = 1; holder <= HOLDERS; holder++) {
      await until(() => {
        lab.clock.advance(100);
        return begun.work === holder;
      });
      await lab.crash();
    }
    await lab.drain();
    expect(await lab.run(runId)).toMatchObject(success(HOLDERS + 1));
    expect(begun.after).toBe(1);
    expect(refused()).toEqual(Array(HOLDERS).fill({ error: "lease_lost" }));
  });

  it("a duplicate append makes the run hang", async () => {
    const { begun, count } = counter();
    atAppends(async (request, send) => {
      await send(request.clone());
      return send(request);
    });
    const run = await perform(async (context) => {
      const branches = ["a", "b"].map((name) => context.run(name, () => count(name)));
      const sum = (await Promise.all(branches)).reduce((a, b) => a + b);
      return context.run("sum", () => sum + count("sum"));
    });
    expect(run).toMatchObject(success(3));
    expect({ begun, deliveries }).toEqual({ begun: { a: 1, b: 1, sum: 1 }, deliveries: 1 });
  });

  it.skipIf(ON_POSTGRES)("a failed save is answered as a success and the steps are lost", async () => {
    const { begun, count } = counter();
    const database = new DatabaseSync(lab.file);
    atAppends((request, send, nth) => {
      if (nth > 1) return undefined;
      database.exec(
        "CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'disk is full'); END",
      );
      return send(request).finally(() => database.exec("DROP TRIGGER full"));
    });
    const run = await perform(async (context) => {
      const first = await context.run("first", () => count("first"));
      return context.run("second", () => first + count("second"));
    });
    database.close();
    expect(answers.map(({ status }) => status)).toEqual([503, 200]);
    expect(run).toMatchObject(success(2));
    expect(begun).toEqual({ first: 1, second: 1 });
  });

  it("attempts are counted per delivery, so the second failing step gets fewer", async () => {
    const { begun, count } = counter();
    const flaky = (name: string) => () => {
      if (count(name) < 4) throw new Error(`not yet ${name}`);
      return name;
    };
    const run = await perform(async (context) => {
      for (const name of ["a", "b", "c"]) await context.run(name, flaky(name));
      return Promise.all(["d", "e"].map((name) => context.run(name, flaky(name))));
    });
    expect(run).toMatchObject(success(["d", "e"]));
    expect(begun).toEqual({ a: 4, b: 4, c: 4, d: 4, e: 4 });
  });

  it("parallelism leaves the mode, for good", async () => {
    const run = await perform(async (context) => {
      for (const round of [1, 2])
        await Promise.all(["a", "b", "c"].map((name) => context.run(`${name}${round}`, () => name)));
      for (let at = 1; at <= 5; at++) await context.run(`alone${at}`, () => at);
      return "done";
    });
    expect(run).toMatchObject(success("done"));
    expect(run.steps.flatMap(({ steps }) => [...steps])).toHaveLength(12);
    expect(deliveries).toBe(1);
  });

  it("a race is decided by local timing, decided otherwise after a crash", async () => {
    const { begun, count } = counter();
    const winners: string[] = [];
    const run = await perform(
      async (context) => {
        const isFirst = deliveries === 1;
        const branch = (name: string, isFast: boolean) =>
          context.run(name, async () => {
            count(name);
            if (!isFast && isFirst) await new Promise(() => {});
            return name;
          });
        const winner = await Promise.race([branch("a", isFirst), branch("b", !isFirst)]);
        winners.push(winner);
        return context.run("tell", async () => {
          if (isFirst) await new Promise(() => {});
          return winner;
        });
      },
      {},
      (answer, nth) => {
        if (nth > 1) return answer();
        void answer();
        return until(() => winners.length === 1 && answers.length === 2).then(broken);
      },
    );
    expect(run).toMatchObject(success("a"));
    expect(winners).toEqual(["a", "a"]);
    expect(begun).toEqual({ a: 1, b: 2 });
  });

  it("a Date inline, text on replay", async () => {
    const seen: unknown[] = [];
    const run = await perform(
      async (context) => {
        const value: unknown = await context.run("date", () => new Date(0));
        seen.push(value);
        await context.run("fails once", () => {
          if (deliveries === 1) throw new Error("once");
        });
        return value;
      },
      { inline: { maxWait: 0 } },
    );
    expect(run).toMatchObject(success(new Date(0)));
    expect(seen).toEqual(Array(2).fill("1970-01-01T00:00:00.000Z"));
  });

  it("the time budget cuts code between steps, or loops on a workflow without steps", async () => {
    const inline = { maxDuration: 0 };
    const turns = async (count: number) => {
      for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
    };
    expect(await perform(() => turns(50).then(() => "no steps"), { inline })).toMatchObject(
      success("no steps"),
    );
    expect(deliveries).toBe(1);
    const between: number[] = [];
    const run = await perform(
      async (context) => {
        for (const at of [1, 2, 3]) {
          await context.run(`step ${at}`, () => at);
          await turns(50);
          between.push(at);
        }
        return "done";
      },
      { inline },
    );
    expect(run).toMatchObject(success("done"));
    // Each invocation runs one step, and the code behind it to its end.
    expect(between).toEqual([1, 1, 2, 1, 2, 3]);
  });

  it("a duplicate continuation is de-duplicated away and the run hangs", async () => {
    const { begun, count } = counter();
    const run = await perform(
      async (context) => {
        for (const at of [1, 2, 3, 4]) await context.run("page", () => count(`page ${at}`) && at);
        return "done";
      },
      { inline: { maxSteps: 1 } },
      async (answer) => {
        await answer();
        return answer();
      },
    );
    expect(run).toMatchObject(success("done"));
    expect(deliveries).toBe(4);
    expect(run.steps).toHaveLength(5);
    expect(Object.keys(begun)).toHaveLength(4);
  });

  it("a late retry timer is swallowed because it has the key of an earlier one", async () => {
    const { begun, count } = counter();
    const flaky = (name: string, failures: number) => () => {
      if (count(name) <= failures) throw new Error(`not yet ${name}`);
      return name;
    };
    const options = { retries: 5, retryDelay: "10m" } as const;
    const run = await perform((context) =>
      Promise.all([
        context.run("same", flaky("a", 3), options),
        context.run("same", flaky("b", 4), { ...options, retryDelay: "7m" }),
        context.sleep("nap", "5m"),
        context.sleep("longer", "12m"),
      ]),
    );
    expect(run).toMatchObject({ workflowState: "RUN_SUCCESS" });
    expect(begun).toEqual({ a: 4, b: 5 });
  });

  it("a per-run lock: an event waits for the end of a long step", async () => {
    const { begun, count } = counter();
    const gate = new Gate();
    const runId = await start((context) =>
      Promise.race([
        context.waitForEvent("stop", "stop").then(({ eventData }) => eventData),
        context.run("long", async () => {
          count("long");
          await gate.passed;
          return "worked";
        }),
      ]),
    );
    await until(() => begun.long === 1);
    await lab.client.notify({ eventId: "stop", eventData: "stopped" });
    const { steps } = await lab.run(runId);
    expect(steps.flatMap<object>((group) => [...group.steps])).toContainEqual(
      expect.objectContaining({ stepName: "stop", state: "STEP_SUCCESS" }),
    );
    gate.open();
    await lab.drain();
    expect(await lab.run(runId)).toMatchObject(success("stopped"));
  });

  it("the answer to the delivery is lost, the appends were not: steps twice", async () => {
    const { begun, count } = counter();
    const keys = new Set<string>();
    const run = await perform(
      async (context) => {
        for (let at = 1; at <= 9; at++) await context.run(`step ${at}`, () => count(`step ${at}`));
        return context.run("last", ({ idempotencyKey }) => {
          keys.add(idempotencyKey);
          return count("last");
        });
      },
      {},
      (answer, nth) => (nth === 1 ? answer().then(broken) : answer()),
    );
    expect(run).toMatchObject(success(2));
    const { last, ...others } = begun;
    expect(Object.values(others)).toEqual(Array(9).fill(1));
    // Its record was in the answer. Its key says that it is the same step.
    expect([last, keys.size]).toEqual([2, 1]);
  });

  it("an event that comes between the last append and the park is never seen", async () => {
    const run = await perform(
      async (context) => {
        const event = context.waitForEvent("paid", "paid", { timeout: "1h" });
        await context.run("first", () => 1);
        await context.run("second", () => 2);
        return (await event).eventData;
      },
      {},
      async (answer, nth) => {
        const parked = await answer();
        if (nth === 1) await lab.client.notify({ eventId: "paid", eventData: "seen" });
        return parked;
      },
    );
    expect(run).toMatchObject(success("seen"));
    expect(deliveries).toBe(2);
  });

  it("the engine is killed between commit and answer of an append", async () => {
    const { begun, count } = counter();
    const crashed = new Gate();
    atAppends((request, send, nth) =>
      nth === 2
        ? send(request)
            .then(() => lab.crash())
            .then(crashed.open)
            .then(broken)
        : undefined,
    );
    const runId = await start(async (context) => {
      for (const at of [1, 2, 3, 4]) await context.run(`step ${at}`, () => count(`step ${at}`));
      return "done";
    });
    await crashed.passed;
    await lab.drain();
    const run = await lab.run(runId);
    expect(run).toMatchObject(success("done"));
    expect(run.steps).toHaveLength(5);
    expect(begun).toEqual({ "step 1": 1, "step 2": 1, "step 3": 1, "step 4": 1 });
    expect(deliveries).toBe(2);
  });
});
