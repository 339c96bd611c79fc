import {
  base64,
  entries,
  failureBody,
  failureHeaders,
  history,
  RUN,
  runHeaders,
} from "@perdure/test-support/delivery";
import { callHeaders } from "@perdure/test-support/forgeries";
import { expect, it } from "vitest";
import { deliver, type Scene } from "../scene.ts";
import { WORD } from "../stand.ts";
import type { Order } from "../workflows.ts";

export const ORDER: Order = {
  id: "17",
  card: "4242",
  items: [
    { sku: "book", price: 12 },
    { sku: "lamp", price: 30 },
  ],
};

const plan = (stepName: string, targetStep: number) =>
  ({ stepId: 0, stepName, stepType: "Run", concurrent: 2, targetStep }) as const;
const result = (stepId: number, stepName: string, out: unknown, concurrent = 1) =>
  ({ stepId, stepName, stepType: "Run", out: JSON.stringify(out), concurrent }) as const;

const RESERVED = [
  plan("reserve book", 1),
  plan("reserve lamp", 2),
  result(1, "reserve book", "book for 17", 2),
  result(2, "reserve lamp", "lamp for 17", 2),
];
const SLEPT = {
  stepId: 4,
  stepName: "until the van has come",
  stepType: "SleepUntil",
  sleepUntil: 0,
  concurrent: 1,
} as const;

/** A request of each kind, from its bytes to what the engine is sent and the caller is answered. */
export function walk(scene: () => Scene): void {
  const resume = (path: string, payload: unknown, records: Parameters<typeof history>[1] = []) =>
    deliver(scene(), path, { body: history(payload, records), headers: runHeaders() });

  it("starts a run with the bytes it was sent, and runs no user code", async () => {
    const body = JSON.stringify(ORDER, undefined, 3);
    const answer = await deliver(scene(), "/order", { body });
    expect(answer.status).toBe(200);
    const { workflowRunId } = JSON.parse(answer.text);
    expect(JSON.parse(answer.text)).toEqual({ workflowRunId, finishCondition: "success" });
    const url = `${scene().url}/order`;
    expect(scene().stand.published).toEqual([{ destination: url, body, headers: expect.anything() }]);
    expect(scene().stand.published[0]?.headers).toMatchObject({
      "upstash-workflow-init": "true",
      "upstash-workflow-runid": workflowRunId,
      "upstash-workflow-url": url,
      "upstash-failure-callback": url,
    });
    expect(scene().stand.sent[0]?.headers.authorization).toBe(`Bearer ${scene().stand.token}`);
    expect(scene().stand.told).toEqual([]);
  });

  it("plans the steps of a group", async () => {
    const answer = await resume("/order", ORDER);
    expect(JSON.parse(answer.text)).toEqual({ workflowRunId: RUN, finishCondition: "success" });
    expect(scene().stand.records).toEqual(RESERVED.slice(0, 2));
    expect(scene().stand.published.map(({ destination }) => destination)).toEqual(
      Array(2).fill(`${scene().url}/order`),
    );
    expect(scene().stand.told).toEqual(["order 17 runs"]);
  });

  it("carries out the step whose plan is delivered", async () => {
    await resume("/order", ORDER, RESERVED.slice(0, 2));
    expect(scene().stand.records).toEqual([RESERVED[3]]);
  });

  it("goes on after what is recorded", async () => {
    await resume("/order", ORDER, RESERVED);
    expect(scene().stand.records).toEqual([result(3, "charge", 42)]);
  });

  it("ends a run with its result", async () => {
    const answer = await resume("/order", ORDER, [...RESERVED, result(3, "charge", 42), SLEPT]);
    expect(answer.status).toBe(200);
    expect(scene().stand.sent).toMatchObject([
      { method: "DELETE", path: `/v2/workflows/runs/${RUN}?cancel=false` },
    ]);
    expect(JSON.parse(scene().stand.sent[0]?.body ?? "")).toEqual({ order: "17", paid: 42 });
  });

  it("fetches a history that was too large to be delivered", async () => {
    const fetched = entries(JSON.stringify(ORDER), RESERVED);
    scene().stand.answer = ({ method }) => (method === "GET" ? { body: fetched } : undefined);
    const answer = await deliver(scene(), "/order", { headers: runHeaders() });
    expect(answer.status).toBe(200);
    expect(scene().stand.sent[0]).toMatchObject({ method: "GET", path: `/v2/workflows/runs/${RUN}` });
    expect(scene().stand.records).toEqual([result(3, "charge", 42)]);
  });

  it("asks for a call, and records its answer without running user code", async () => {
    await resume("/answer", { wish: "call" });
    expect(scene().stand.published).toMatchObject([
      { destination: "http://127.0.0.1:9/nobody", headers: { "upstash-callback": `${scene().url}/answer` } },
    ]);
    const told = scene().stand.told.length;
    const body = JSON.stringify({ status: 418, header: { "x-a": ["1"] }, body: base64("é") });
    const answer = await deliver(scene(), "/answer", { body, headers: callHeaders() });
    expect(JSON.parse(answer.text)).toEqual({ workflowRunId: RUN, finishCondition: "fromCallback" });
    const record = scene().stand.records.at(-1);
    expect(record).toMatchObject({ stepId: 1, stepName: "ask", stepType: "Call" });
    expect(JSON.parse(record?.out ?? "")).toMatchObject({ status: 418, header: { "x-a": ["1"] } });
    expect(scene().stand.told).toHaveLength(told);
  });

  it("calls the failure function, and not the workflow", async () => {
    const body = failureBody({ sourceBody: base64(JSON.stringify(ORDER)), url: `${scene().url}/order` });
    const answer = await deliver(scene(), "/order", { body, headers: failureHeaders() });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toEqual({ result: { order: "17", status: 500, reason: "boom" } });
    expect(scene().stand.told).toEqual(["order 17 is undone"]);
    expect(scene().stand.sent).toEqual([]);
  });

  it("says that there is no failure function", async () => {
    const answer = await deliver(scene(), "/answer", { body: failureBody(), headers: failureHeaders() });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("Upstash-Workflow-Failure-Callback-Notfound")).toBe("true");
    expect(JSON.parse(answer.text)).toMatchObject({ finishCondition: "failure-callback-undefined" });
  });

  it("has the server's environment", async () => {
    await resume("/answer", { wish: "environment" });
    expect(scene().stand.records).toEqual([result(1, "environment", WORD)]);
  });

  it("serves several workflows side by side, which invoke each other", async () => {
    await resume("/many/double", 21);
    await resume("/many/quadruple", 21);
    const [doubled, invoked] = scene().stand.published;
    expect(JSON.parse(doubled?.body ?? "")).toEqual(result(1, "double", 42));
    expect(invoked).toMatchObject({
      destination: `${scene().url}/many/double`,
      headers: { "upstash-workflow-invoke": "true", "upstash-workflow-init": "true" },
    });
  });
}
