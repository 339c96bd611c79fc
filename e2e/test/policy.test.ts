import { createWorkflow, type ServeOptions, serveMany, type WorkflowFunction } from "@perdure/core";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { environment } from "@perdure/test-support/process";
import { Client as OfficialClient } from "@upstash/workflow";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Lab } from "./support/lab.ts";

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.start();
});
afterEach(() => lab.stop());

/** When each attempt was made, in milliseconds after the first. */
class Attempts {
  readonly #at: number[] = [];

  note(): void {
    this.#at.push(lab.clock.now());
  }

  get times(): number[] {
    return this.#at.map((at) => at - (this.#at[0] ?? 0));
  }
}

interface Seen {
  readonly work: number[];
  readonly failureFunction: number[];
}

type Begin = (url: string) => Promise<unknown>;

/** Serves a workflow whose step, and whose failure function, always fail, and starts one run of it. */
async function seen(
  options: ServeOptions,
  begin: Begin = (url) => lab.client.trigger({ url }),
): Promise<Seen> {
  const work = new Attempts();
  const failureFunction = new Attempts();
  const fail = (attempts: Attempts) => () => {
    attempts.note();
    throw new Error("boom");
  };
  const workflow: WorkflowFunction = (context) => context.run("pay", fail(work));
  const url = lab.serve(workflow, { failureFunction: fail(failureFunction), ...options });
  await begin(url);
  await lab.drain();
  return { work: work.times, failureFunction: failureFunction.times };
}

const POLICY: ServeOptions = {
  retries: 1,
  retryDelay: "1000 * (1 + retried)",
  failureRetries: 2,
  failureRetryDelay: "pow(2, retried)",
};
const BY_POLICY: Seen = { work: [0, 1000], failureFunction: [0, 1, 3] };

describe("retries beside the workflow hold", () => {
  it("for a run that a client triggers, from the failure of its first delivery on", async () => {
    expect(await seen(POLICY)).toEqual(BY_POLICY);
  });

  it("for a run that the official client triggers", async () => {
    const official = new OfficialClient({ baseUrl: lab.url, token: DEV_CREDENTIALS.token });
    expect(await seen(POLICY, (url) => official.trigger({ url }))).toEqual(BY_POLICY);
  });

  it("for a run that the engine's API triggers", async () => {
    const begin: Begin = (url) => lab.ask("POST", `/v2/trigger/${url}`);
    expect(await seen(POLICY, begin)).toEqual(BY_POLICY);
  });

  it("for a run that a published message starts", async () => {
    const begin: Begin = (url) => lab.ask("POST", `/v2/publish/${url}`);
    expect(await seen(POLICY, begin)).toEqual(BY_POLICY);
  });

  it("for a run that a schedule starts", async () => {
    const begin: Begin = async (url) => {
      const { scheduleId } = await lab.client.schedules.create({ url, cron: "* * * * *" });
      lab.clock.advanceToNext();
      await lab.idle();
      await lab.client.schedules.delete(scheduleId);
    };
    expect(await seen(POLICY, begin)).toEqual(BY_POLICY);
  });

  it("with delays that are durations", async () => {
    const options: ServeOptions = {
      retries: 1,
      retryDelay: "5s",
      failureRetries: 1,
      failureRetryDelay: "1m",
    };
    expect(await seen(options)).toEqual({ work: [0, 5000], failureFunction: [0, 60_000] });
  });

  it("without retries: neither the step nor the failure function is tried again", async () => {
    expect(await seen({ retries: 0 })).toEqual({ work: [0], failureFunction: [0] });
  });

  it("when the first delivery fails before any step", async () => {
    const attempts = new Attempts();
    const url = lab.serve(
      () => {
        attempts.note();
        throw new Error("boom");
      },
      { retries: 2, retryDelay: "5" },
    );
    await lab.client.trigger({ url });
    await lab.drain();
    expect(attempts.times).toEqual([0, 5, 10]);
  });

  it("for deliveries after the first, and for members of a group", async () => {
    const [one, two] = [new Attempts(), new Attempts()];
    const url = lab.serve(
      async (context) => {
        await context.run("first", () => 1);
        const branch = (attempts: Attempts) => () => {
          attempts.note();
          throw new Error("boom");
        };
        await Promise.all([context.run("a", branch(one)), context.run("b", branch(two))]);
      },
      { retries: 2, retryDelay: "7" },
    );
    await lab.client.trigger({ url });
    await lab.drain();
    expect(Math.max(one.times.length, two.times.length)).toBe(3);
  });

  it("shows in the run's log", async () => {
    const url = lab.serve((context) => context.run("pay", () => 1), { retries: 7, retryDelay: "250" });
    const { workflowRunId } = await lab.client.trigger({ url });
    await lab.drain();
    const { steps } = await lab.run(workflowRunId);
    expect(steps[0]?.steps[0]).toMatchObject({ retries: 7, retryDelay: "250" });
  });
});

describe("retries of a trigger win over those beside the workflow", () => {
  it.each([
    ["also the usual number", { retries: 3 }, { work: 4, failureFunction: 3 }],
    ["none", { retries: 0 }, { work: 1, failureFunction: 3 }],
    ["those of the failure function", { failureRetries: 0 }, { work: 2, failureFunction: 1 }],
    ["both, and alike", { retries: 0, failureRetries: 0 }, { work: 1, failureFunction: 1 }],
  ])("%s", async (_, options, expected) => {
    const { work, failureFunction } = await seen(POLICY, (url) => lab.client.trigger({ url, ...options }));
    expect({ work: work.length, failureFunction: failureFunction.length }).toEqual(expected);
  });

  it("and each delay alone", async () => {
    const begin: Begin = (url) => lab.client.trigger({ url, retryDelay: "9", failureRetryDelay: "9" });
    expect(await seen(POLICY, begin)).toEqual({ work: [0, 9], failureFunction: [0, 9, 18] });
  });

  it("so do those of a schedule", async () => {
    const begin: Begin = async (url) => {
      const { scheduleId } = await lab.client.schedules.create({ url, cron: "* * * * *", retries: 0 });
      lab.clock.advanceToNext();
      await lab.idle();
      await lab.client.schedules.delete(scheduleId);
    };
    expect((await seen(POLICY, begin)).work).toEqual([0]);
  });
});

describe("a run that another one invokes", () => {
  async function childOf(invoke: { retries?: number }, policy: ServeOptions): Promise<number> {
    let attempts = 0;
    const child = createWorkflow((context) => {
      return context.run("pay", () => {
        attempts++;
        throw new Error("boom");
      });
    }, policy);
    const parent = createWorkflow(async (context) => {
      await context.invoke("child", { workflow: child, ...invoke });
    });
    const { handler } = serveMany({ parent, child }, { env: environment(lab.url) });
    const url = lab.at("/parent", handler);
    lab.at("/child", handler);
    await lab.client.trigger({ url });
    await lab.drain();
    return attempts;
  }

  it("has the retries beside its workflow", async () => {
    expect(await childOf({}, { retries: 1 })).toBe(2);
  });

  it("unless its invocation says otherwise", async () => {
    expect(await childOf({ retries: 2 }, { retries: 0 })).toBe(3);
  });
});

describe("the engine", () => {
  it("follows an endpoint that was deployed with other retries", async () => {
    let attempts = 0;
    const fail: WorkflowFunction = (context) =>
      context.run("pay", () => {
        attempts++;
        lab.serve(fail, { retries: 5, retryDelay: "1" });
        throw new Error("boom");
      });
    const url = lab.serve(fail, { retries: 1, retryDelay: "1" });
    await lab.client.trigger({ url });
    await lab.drain();
    expect(attempts).toBe(6);
  });

  it("takes nothing from the place to which failures are reported", async () => {
    const foreign = new Attempts();
    const failureUrl = lab.at("/alarm", () => {
      foreign.note();
      return new Response("", {
        status: 500,
        headers: { "Perdure-Capabilities": "1, failureRetries=9, retries=9" },
      });
    });
    const { work } = await seen({ retries: 0 }, (url) =>
      lab.client.trigger({ url, failureUrl, failureRetries: 1 }),
    );
    expect([work.length, foreign.times.length]).toEqual([1, 2]);
  });
});

describe("the engine takes nothing from a third party that is called", () => {
  it("not for the run that calls it", async () => {
    const third = lab.at(
      "/third",
      () => new Response("", { headers: { "Perdure-Capabilities": "1, retries=9" } }),
    );
    const url = lab.serve((context) => context.call("third", { url: third }));
    const { workflowRunId } = await lab.client.trigger({ url });
    await lab.drain();
    const { steps, workflowState } = await lab.run(workflowRunId);
    expect(workflowState).toBe("RUN_SUCCESS");
    expect(steps[0]?.steps[0]).toMatchObject({ retries: 3 });
  });
});

describe("onExhausted beside the workflow", () => {
  async function resultOf(options: ServeOptions, own?: "throw" | "fail"): Promise<unknown> {
    let attempts = 0;
    const url = lab.serve(
      async (context) => {
        try {
          return await context.run(
            "pay",
            () => {
              attempts++;
              throw new Error("boom");
            },
            own === undefined ? {} : { onExhausted: own },
          );
        } catch (error) {
          return `caught ${(error as Error).message} after ${attempts}`;
        }
      },
      { onExhausted: "throw", ...options },
    );
    const { workflowRunId } = await lab.client.trigger({ url });
    await lab.drain();
    const run = await lab.run(workflowRunId);
    return run.workflowRunResponse ?? run.workflowState;
  }

  it.each([0, 1, 4])(
    "holds for a step that says nothing, after %i retries beside the workflow",
    async (retries) => {
      expect(await resultOf({ retries })).toBe(`"caught boom after ${retries + 1}"`);
    },
  );

  it("doesn't hold for a step that says otherwise", async () => {
    expect(await resultOf({ retries: 0 }, "fail")).toBe("RUN_FAILED");
  });
});
