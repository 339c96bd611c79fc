import {
  type FailureFunctionParams,
  WorkflowMiddleware,
  WorkflowNonRetryableError,
  WorkflowRetryAfterError,
} from "@perdure/core";
import { DEV_CREDENTIALS, parseFailure } from "@perdure/core/protocol";
import { Receiver } from "@upstash/qstash";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type Way, WORKFLOW, World, type WorldOptions } from "./failures/world.ts";

let world: World;
afterEach(() => world.stop());

const fails = (): never => {
  throw new WorkflowNonRetryableError("boom");
};
const failing = (options: Way["options"] = {}): Way => ({
  workflow: (context) => context.run("charge", fails),
  options,
  told: {},
});

async function open(way: Way, options: WorldOptions = {}): Promise<World> {
  world = await World.start(() => way, options);
  return world;
}

/** A run that has failed, and whose failure function has had its say. */
async function fail(way: Way, options: WorldOptions = {}, trigger: object = {}): Promise<World> {
  await open(way, options);
  await world.client.trigger({ url: WORKFLOW, ...trigger });
  await world.drain();
  return world;
}

const letter = async () => (await world.client.dlq.list()).messages[0];
const again = () => {
  throw new Error("not now");
};

describe("what a failure function returns", () => {
  it.each([[{ released: true }], ["noted"], [0], [null], [[1, { a: "ü" }]], [undefined]])(
    "is on record, in the log and in the dead letter queue: %j",
    async (result) => {
      await fail(failing(), { onFailure: () => result });
      const responseBody = JSON.stringify({ result });
      expect((await world.run())?.failureFunction).toMatchObject({ state: "CALLBACK_SUCCESS", responseBody });
      expect((await letter())?.failureCallbackInfo).toMatchObject({
        state: "CALLBACK_SUCCESS",
        responseBody,
      });
    },
  );

  it("isn't asked for again where JSON can't carry it", async () => {
    await fail(failing(), { onFailure: () => 1n });
    expect(world.told).toHaveLength(1);
    expect((await world.run())?.failureFunction?.state).toBe("CALLBACK_FAIL");
  });
});

describe("a failure function that throws", () => {
  const delays = () => world.times.map((time, at) => time - (world.times[at - 1] ?? time)).slice(1);

  it("is called again with the run's retries", async () => {
    await fail(failing(), { onFailure: again }, { retries: 2, retryDelay: "1000" });
    expect(delays()).toEqual([1000, 1000]);
    expect((await letter())?.failureCallbackInfo?.state).toBe("CALLBACK_FAIL");
  });

  it("is called again with its own, which a trigger gives it", async () => {
    const own = { failureRetries: 3, failureRetryDelay: "5000 * (1 + retried)" };
    await fail(failing(), { onFailure: again }, { retries: 0, retryDelay: "1000", ...own });
    expect(delays()).toEqual([5000, 10_000, 15_000]);
  });

  it("is called again with its own, which the endpoint gives it", async () => {
    const own = { failureRetries: 2, failureRetryDelay: "7000" };
    await open(failing({ retries: 0, ...own }), { open: true, onFailure: again });
    await world.receive(new Request(WORKFLOW, { method: "POST", body: "{}" }));
    await world.drain();
    expect(delays()).toEqual([7000, 7000]);
  });

  it("is called again with its own, which a schedule gives it", async () => {
    await open(failing(), { onFailure: again });
    const own = { failureRetries: 1, failureRetryDelay: "9000" };
    const { scheduleId } = await world.client.schedules.create({ url: WORKFLOW, cron: "* * * * *", ...own });
    world.clock.advance(60_000);
    await world.client.schedules.delete(scheduleId);
    await world.drain();
    expect(delays()).toEqual([9000]);
  });

  it("isn't called again when it says so", async () => {
    await fail(failing(), { onFailure: fails });
    expect(world.told).toHaveLength(1);
    expect(await letter()).toMatchObject({
      failureCallbackInfo: { state: "CALLBACK_FAIL", responseStatus: 489 },
    });
  });

  it("is called again when it says so", async () => {
    const onFailure = () => {
      if (world.told.length === 1) throw new WorkflowRetryAfterError("later", "2m");
    };
    await fail(failing(), { onFailure }, { failureRetryDelay: "1" });
    expect(delays()).toEqual([120_000]);
  });

  it("fails when it asks for a step, and the step isn't carried out", async () => {
    const work = vi.fn();
    const params: FailureFunctionParams[] = [];
    const middleware = new WorkflowMiddleware({
      name: "spy",
      callbacks: {
        failureFunctionRan: ({ context }) => Reflect.get(context, "run").call(context, "more", work),
      },
    });
    const failureFunction = (told: FailureFunctionParams) => {
      params.push(told);
      return Reflect.get(told.context, "run").call(told.context, "more", work);
    };
    await fail(failing({ failureFunction, middlewares: [middleware] }), {}, { retries: 0 });
    expect(params).toHaveLength(1);
    expect(work).not.toHaveBeenCalled();
    const { responseBody } = (await letter())?.failureCallbackInfo ?? {};
    expect(responseBody).toContain("context.run is not available");
  });
});

describe("middleware", () => {
  it("is told that a run has failed, and what its failure function came to", async () => {
    const told: unknown[] = [];
    const middleware = new WorkflowMiddleware({
      name: "spy",
      callbacks: {
        runFailed: ({ failStatus, failResponse }) => void told.push([failStatus, failResponse]),
        failureFunctionRan: ({ result, error }) => void told.push([result, (error as Error)?.message]),
      },
    });
    const onFailure = () => {
      if (world.told.length === 1) again();
      return { released: true };
    };
    await fail(failing({ middlewares: [middleware] }), { onFailure });
    expect(told).toEqual([
      [489, "boom"],
      [undefined, "not now"],
      [489, "boom"],
      [{ released: true }, undefined],
    ]);
  });
});

describe("failureUrl", () => {
  it("is told instead, with a signature for it", async () => {
    const url = "https://reports.test/failed";
    await fail(failing(), {}, { failureUrl: url, headers: { "X-Tenant": "acme" } });
    expect(world.told).toEqual([]);
    const [{ headers, body } = expect.fail("nothing was sent"), ...more] = world.elsewhere;
    expect(more).toEqual([]);
    expect(headers.get("X-Tenant")).toBe("acme");
    expect(parseFailure(body)).toMatchObject({
      failStatus: 489,
      failResponse: "boom",
      attempts: 1,
      where: "step",
    });
    const { currentSigningKey, nextSigningKey } = DEV_CREDENTIALS;
    const receiver = new Receiver({ currentSigningKey, nextSigningKey });
    const signature = headers.get("Upstash-Signature") ?? "";
    expect(await receiver.verify({ signature, body, url })).toBe(true);
    expect((await letter())?.failureCallbackInfo).toMatchObject({
      state: "CALLBACK_SUCCESS",
      responseBody: "thanks",
    });
  });
});

describe("a run that was cancelled", () => {
  it.each<[string, Way["workflow"], (() => Promise<unknown>)?]>([
    ["by itself", (context) => context.cancel()],
    ["while it sleeps", (context) => context.sleep("a day", "1d"), () => world.client.cancel({ all: true })],
    [
      "while a step of it waits for a retry",
      (context) => context.run("charge", again),
      () => world.client.cancel({ all: true }),
    ],
  ])("%s hasn't failed", async (_name, workflow, cancel) => {
    await open({ workflow, told: {} });
    await world.client.trigger({ url: WORKFLOW });
    await world.idle();
    await cancel?.();
    await world.drain();
    expect((await world.run())?.workflowState).toBe("RUN_CANCELED");
    expect(world.told).toEqual([]);
    expect((await world.client.dlq.list()).messages).toEqual([]);
  });
});

describe("client.dlq", () => {
  it("has a failure function called no more, and again", async () => {
    let deaf = true;
    const onFailure = () => (deaf ? again() : "heard");
    await open(failing(), { onFailure });
    const { dlq } = world.client;
    await world.client.trigger({ url: WORKFLOW, failureRetries: 3 });
    await world.idle();
    const [{ dlqId } = { dlqId: "" }] = (
      await dlq.list({ filter: { failureFunctionState: "CALLBACK_INPROGRESS" } })
    ).messages;
    await dlq.cancelFailureFunction({ dlqId });
    await world.drain();
    expect(world.told).toHaveLength(1);
    const states = async (failureFunctionState: "CALLBACK_CANCELED" | "CALLBACK_SUCCESS") =>
      (await dlq.list({ filter: { failureFunctionState } })).messages.map((one) => one.dlqId);
    expect(await states("CALLBACK_CANCELED")).toEqual([dlqId]);
    deaf = false;
    await dlq.retryFailureFunction({ dlqId });
    await world.drain();
    expect(world.told).toHaveLength(2);
    expect(world.told[1]?.failureId).toBe(world.told[0]?.failureId);
    expect(await states("CALLBACK_SUCCESS")).toEqual([dlqId]);
  });

  it("resumes a group after a fixed deployment: only what is missing is run", async () => {
    let fixed = false;
    const ran: string[] = [];
    const work =
      (name: string, broken = false) =>
      () => {
        if (broken && !fixed) fails();
        ran.push(name);
        return name;
      };
    const workflow: Way["workflow"] = async (context) => {
      const before = await context.run("before", work("before"));
      const group = await Promise.all([
        context.run("a", work("a")),
        context.run("b", work("b", true)),
        (async () => {
          const c = await context.run("c", work("c"));
          return `${c}, ${await context.run("d", work("d"))}`;
        })(),
      ]);
      return [before, ...group];
    };
    await fail({ workflow, told: {} }, {}, { label: "l" });
    expect(world.told).toHaveLength(1);
    fixed = true;
    // Of the others, the result of one that was still under way came too late.
    const recorded = world.told[0]?.steps?.map(({ name }) => name) ?? [];
    expect(recorded).toContain("before");
    const { workflowRuns } = await world.client.dlq.resume({ filter: { label: "l" } }, { label: "again" });
    await world.drain();
    const [{ workflowRunId } = { workflowRunId: "" }] = workflowRuns;
    expect(await world.client.runs.wait(workflowRunId)).toMatchObject({
      workflowState: "RUN_SUCCESS",
      labels: ["again"],
      result: ["before", "a", "b", "c, d"],
    });
    for (const name of recorded) expect(ran.filter((one) => one === name)).toHaveLength(1);
    expect(new Set(ran)).toEqual(new Set(["before", "a", "b", "c", "d"]));
    expect((await world.client.dlq.list()).messages).toEqual([]);
  });

  it("restarts and deletes, one or many", async () => {
    await open(failing());
    await world.client.trigger(["a", "b", "c"].map((label) => ({ url: WORKFLOW, label })));
    await world.drain();
    const { dlq } = world.client;
    const { workflowRuns } = await dlq.restart(
      { filter: { label: ["a", "b"] } },
      { failureUrl: "https://else.test/" },
    );
    expect(workflowRuns).toHaveLength(2);
    await world.drain();
    expect([world.told.length, world.elsewhere.length]).toEqual([3, 2]);
    const { messages } = await dlq.list({ filter: { label: "c" } });
    expect(await dlq.delete(messages.map(({ dlqId }) => dlqId))).toEqual({ deleted: 1 });
    expect(await dlq.delete({ all: true })).toEqual({ deleted: 2 });
  });
});
