import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@perdure/core";
import { serve as serveOfficial } from "@upstash/workflow";
import { compare, type Row } from "./measure.ts";

/**
 * Answering one delivery of a run with `steps` recorded results, by the official runtime and by ours, in this process.
 * Both replay, run one more step and publish it to the same engine, which answers at once.
 */
export async function deliveries(steps: number): Promise<Row> {
  const engine = createServer((request, response) => {
    request.resume().on("end", () => response.end('[{"messageId":"msg_next"}]'));
  });
  await new Promise<void>((resolve) => engine.listen(0, "127.0.0.1", resolve));
  const env = {
    QSTASH_URL: `http://127.0.0.1:${(engine.address() as AddressInfo).port}`,
    QSTASH_TOKEN: "token",
  };
  const workflow = async (context: Steps) => {
    for (let step = 1; step <= steps + 1; step++) await context.run(`step ${step}`, () => result(step));
  };
  const ours = serve(workflow, { env, verify: "off" }).handler;
  const theirs = serveOfficial(workflow, { env }).handler;
  try {
    const row = await compare(
      `one delivery with ${steps} recorded steps ÷ @upstash/workflow`,
      { name: "Perdure", run: () => answer(ours, steps) },
      { name: "upstream", run: () => answer(theirs, steps) },
    );
    return { ...row, bar: { atMost: 0.4 } };
  } finally {
    engine.closeAllConnections();
    engine.close();
  }
}

interface Steps {
  run<T>(name: string, work: () => T): Promise<unknown>;
}

const result = (step: number) => ({ step, text: "x".repeat(1000) });

async function answer(handler: (request: Request) => Promise<Response>, steps: number): Promise<void> {
  const response = await handler(delivery(steps));
  if (response.status !== 200)
    throw new TypeError(`The delivery was answered ${response.status}: ${await response.text()}`);
}

const bodies = new Map<number, string>();

function delivery(steps: number): Request {
  const headers = {
    "Upstash-Workflow-RunId": "wfr_bench",
    "Upstash-Workflow-Sdk-Version": "1",
    "Upstash-Workflow-CreatedAt": "1",
    "Upstash-Message-Id": `msg_${steps}`,
  };
  const body = bodies.get(steps) ?? history(steps);
  bodies.set(steps, body);
  return new Request("https://app.example.com/wf", { method: "POST", headers, body });
}

function history(steps: number): string {
  const records = Array.from({ length: steps }, (_, at) => ({
    stepId: at + 1,
    stepName: `step ${at + 1}`,
    stepType: "Run",
    out: JSON.stringify(result(at + 1)),
    concurrent: 1,
  }));
  const entries = [{}, ...records].map((body, at) => ({
    messageId: `msg_${at}`,
    body: Buffer.from(JSON.stringify(body)).toString("base64"),
    callType: "step",
  }));
  return JSON.stringify(entries);
}
