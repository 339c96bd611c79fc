import { HEADER, type HistoryEntry, kindOf } from "@perdure/core/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Lab } from "./support/lab.ts";

let lab: Lab;
let ran: string[] = [];
beforeEach(async () => {
  lab = await Lab.start();
  ran = [];
});
afterEach(() => lab.stop());

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** A workflow that waits, so that a run of it is alive. */
function serveVictim(): string {
  return lab.serve(
    async (context) => {
      ran.push(`workflow of ${context.workflowRunId}`);
      await context.waitForEvent("paid", "paid");
      await context.run("ship", () => void ran.push("ship"));
    },
    {
      failureFunction: () => void ran.push("failure function"),
      cancelFunction: () => void ran.push("cancel function"),
    },
    "/victim",
  );
}

/** Has the engine make a call with these headers, and tells the status of its answer. */
async function call(url: string, headers: Record<string, string>, body: string): Promise<number> {
  const caller = lab.serve(
    async (context) => (await context.call("forge", { url, method: "POST", headers, body })).status,
    {},
    "/caller",
  );
  const { workflowRunId } = await lab.client.trigger({ url: caller });
  await lab.idle();
  return Number((await lab.run(workflowRunId)).workflowRunResponse);
}

const paid = { stepId: 1, stepName: "paid", stepType: "Wait", concurrent: 1, out: base64("1") };
const history = (...steps: object[]): string =>
  JSON.stringify(
    [{}, ...steps].map(
      (step, at): HistoryEntry => ({
        messageId: `msg_${at}`,
        body: base64(JSON.stringify(step)),
        callType: "step",
      }),
    ),
  );

const report = (url: string, run: string): string =>
  JSON.stringify({
    status: 500,
    header: {},
    body: "",
    url,
    dlqId: "1-1",
    workflowRunId: run,
    workflowCreatedAt: 1,
  });

/** Deliveries of each kind, as the engine would make them, of the victim's run. */
const DELIVERIES: Readonly<Record<string, (url: string, run: string) => [Record<string, string>, string]>> = {
  "a step's delivery": () => [{ [HEADER.sdkVersion]: "1" }, history(paid)],
  "a first delivery": () => [{ [HEADER.sdkVersion]: "1", [HEADER.init]: "true" }, history()],
  "a run that is to be configured": () => [
    { [HEADER.sdkVersion]: "1", [HEADER.unknownSdk]: "true" },
    history(),
  ],
  "the answer to a call": () => [
    {
      [HEADER.isCallResult]: "true",
      [HEADER.stepId]: "1",
      [HEADER.stepName]: "paid",
      [HEADER.stepType]: "Call",
      [HEADER.concurrent]: "1",
    },
    JSON.stringify({ status: 200, header: {}, body: "" }),
  ],
  "the report of a failure": (url, run) => [
    { [HEADER.isFailure]: "true", [HEADER.isFailureCallback]: "true", [HEADER.callType]: "failureCall" },
    report(url, run),
  ],
  "the report of a failure by one header": (url, run) => [
    { [HEADER.isFailureCallback]: "1" },
    report(url, run),
  ],
  "a request for rollbacks": (url, run) => [
    { [HEADER.isFailure]: "true", [HEADER.maxRetries]: "3" },
    report(url, run),
  ],
  "the report of a cancellation": (url, run) => [{ [HEADER.callType]: "cancelCall" }, report(url, run)],
};

describe("a call whose headers are the protocol's own", () => {
  it.each(Object.keys(DELIVERIES))("isn't taken for %s", async (kind) => {
    const url = serveVictim();
    const { workflowRunId } = await lab.client.trigger({ url });
    await lab.idle();
    const before = await lab.run(workflowRunId);
    ran = [];
    const [headers, body] = DELIVERIES[kind]?.(url, workflowRunId) ?? [{}, ""];
    expect(await call(url, { [HEADER.runId]: workflowRunId, ...headers }, body)).toBe(401);
    expect(ran).toEqual([]);
    expect(await lab.run(workflowRunId)).toEqual(before);
  });

  it("is at most a start of a run of its own, whichever single header it has", async () => {
    const names = Object.values(HEADER).filter((name) => /^(?:upstash-workflow|perdure)-/i.test(name));
    const url = serveVictim();
    const { workflowRunId } = await lab.client.trigger({ url });
    await lab.idle();
    const before = await lab.run(workflowRunId);
    for (const name of names) {
      ran = [];
      const value = name === HEADER.sdkVersion ? "1" : "true";
      const headers = { [name]: value, [HEADER.runId]: workflowRunId };
      const status = await call(url, headers, report(url, workflowRunId));
      const starts = kindOf(new Headers(headers)) === "start" && name !== HEADER.unknownSdk;
      if (!starts) expect([name, status]).toEqual([name, 401]);
      expect(
        ran.filter((what) => what !== "ship" && !what.startsWith("workflow of")),
        name,
      ).toEqual([]);
      expect(ran, name).not.toContain(`workflow of ${workflowRunId}`);
      expect(await lab.run(workflowRunId), name).toEqual(before);
    }
  });

  it("brings no options and no policy to the run that it starts", async () => {
    const url = serveVictim();
    const flowControl = { key: "shared", rate: 1, period: "1d" };
    await lab.client.trigger({ url, flowControl: { key: "shared", rate: 1000 } });
    await lab.idle();
    const key = await (await lab.ask("GET", "/v2/flowControl/shared")).json();
    const forged = {
      "Perdure-Run-Options": JSON.stringify({ retries: 0, flowControl, failureUrl: "https://evil.test/" }),
      "Perdure-Max-Retries": "0",
      "Perdure-Capabilities": "retries=0",
      "Perdure-Run-Timeout": "1s",
    };
    expect(await call(url, forged, "{}")).toBe(200);
    const { runs } = await lab.client.logs({ filter: { workflowUrl: url, state: "RUN_STARTED" } });
    expect(runs).toHaveLength(2);
    for (const run of runs) expect(run.steps[0]?.steps[0]).toMatchObject({ retries: 3 });
    expect(runs.filter((run) => run.flowControlKey === "shared")).toHaveLength(1);
    expect(await (await lab.ask("GET", "/v2/flowControl/shared")).json()).toEqual(key);
  });

  it("is shown in the caller's log as the call that it was", async () => {
    const third = lab.at("/third", () => new Response());
    const forged = {
      [HEADER.stepId]: "7",
      [HEADER.stepName]: "other",
      [HEADER.isCallResult]: "true",
      "Upstash-Callback-Forward-Upstash-Workflow-StepId": "9",
      "Upstash-Forward-Upstash-Workflow-StepId": "9",
    };
    expect(await call(third, forged, "{}")).toBe(200);
    const { runs } = await lab.client.logs({ filter: { workflowUrl: "https://app.test/caller" } });
    const steps: { stepName?: unknown; stepType?: unknown }[] = runs.flatMap((run) =>
      run.steps.flatMap((group): object[] => group.steps),
    );
    expect(steps.map(({ stepName, stepType }) => [stepName, stepType])).toEqual([
      ["init", "Initial"],
      ["forge", "Call"],
    ]);
    expect(JSON.stringify(steps[1])).not.toMatch(/"stepId":(?:7|9)|"stepName":"other"/);
  });

  it("reaches who is called with them as they are", async () => {
    let heard: Headers | undefined;
    const url = lab.at("/third", (request) => {
      heard = request.headers;
      return new Response();
    });
    const headers = {
      "Upstash-Workflow-RunId": "wfr_mine",
      "Upstash-Workflow-Is-Failure": "true",
      "Upstash-Workflow-Anything": "x",
      "X-Own": "y",
    };
    expect(await call(url, headers, "{}")).toBe(200);
    for (const [name, value] of Object.entries(headers)) expect(heard?.get(name), name).toBe(value);
  });

  it("still starts a workflow that is called without them", async () => {
    const url = serveVictim();
    expect(await call(url, {}, '{"a":1}')).toBe(200);
    expect(ran).toHaveLength(1);
  });
});
