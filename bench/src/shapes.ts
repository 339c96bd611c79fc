import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { toNode } from "@perdure/adapters/node";
import { createWorkflow, serve, serveMany, type WorkflowContext } from "@perdure/core";
import { type EngineProcess, startEngine } from "../peers/src/perdure-engine.ts";
import { median, type Row } from "./measure.ts";

const ROUNDS = 5;
const MIB = 1024 * 1024;
const SOAK_MINUTES = 10;

/** An engine in a process of its own, and an endpoint in this one. */
interface Setup {
  readonly engine: EngineProcess;
  /** @returns milliseconds until all of so many runs of the workflow at `path` have ended */
  measure(path: keyof typeof WORKFLOWS, runs: number, size: number): Promise<number>;
  stop(): Promise<void>;
}

const leaf = createWorkflow(async (context: WorkflowContext<number>) => context.requestPayload);

/** Workflows whose payload says how many steps they have. */
const WORKFLOWS = {
  /** One step after the other. */
  row: async (context: WorkflowContext<number>): Promise<void> => {
    for (let at = 0; at < context.requestPayload; at++) await context.run(`step ${at}`, () => at);
  },
  /** All steps side by side. */
  group: async (context: WorkflowContext<number>): Promise<void> => {
    const steps = Array.from({ length: context.requestPayload }, (_, at) => at);
    await Promise.all(steps.map((at) => context.run(`step ${at}`, () => at)));
  },
  /** Invoked runs side by side. */
  parent: async (context: WorkflowContext<number>): Promise<void> => {
    const steps = Array.from({ length: context.requestPayload }, (_, at) => at);
    await Promise.all(steps.map((at) => context.invoke(`child ${at}`, { workflow: leaf, body: at })));
  },
};

/** Many runs at once, long runs, wide groups, and many invoked runs: each beside the plain case in the same run. */
export async function* shapes(): AsyncGenerator<Row> {
  const setup = await startSetup();
  const { measure } = setup;
  /** The time of a step, in rounds that alternate with those of runs of 10 steps, one after the other. */
  const beside = async (work: () => Promise<number>): Promise<{ plain: number[]; own: number[] }> => {
    const times = { plain: [] as number[], own: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      times.plain.push(median(await inTurn(10, () => measure("row", 1, 10))) / 10);
      times.own.push(await work());
    }
    return times;
  };
  const row = (name: string, { plain, own }: { plain: number[]; own: number[] }): Row => ({
    name,
    ratios: own.map((ms, round) => ms / (plain[round] ?? Number.NaN)),
    figures: `${median(own).toFixed(2)} and ${median(plain).toFixed(2)} ms`,
  });
  try {
    await measure("row", 100, 10);
    for (const runs of [16, 256]) {
      const times = await beside(async () => (await measure("row", runs, 10)) / runs / 10);
      yield row(`time of a step with ${runs} runs at once ÷ with 1`, times);
    }
    yield row(
      "time of a step in a run of 1000 ÷ in a run of 10",
      await beside(async () => (await measure("row", 1, 1000)) / 1000),
    );
    yield row(
      "time of a step in a group of 200 ÷ one after the other",
      await beside(async () => (await measure("group", 1, 200)) / 200),
    );
    yield row(
      "time of each of 1000 invoked runs ÷ of a step",
      await beside(async () => (await measure("parent", 1, 1000)) / 1000),
    );
  } finally {
    await setup.stop();
  }
}

/** Memory of an engine after minutes of work, divided by that after the first one. */
export async function* soak(): AsyncGenerator<Row> {
  const setup = await startSetup();
  try {
    const minute = async (): Promise<number> => {
      const end = performance.now() + 60_000;
      while (performance.now() < end) await setup.measure("row", 16, 10);
      return residentBytes(setup.engine.pid);
    };
    const first = await minute();
    const later = [];
    for (let at = 1; at < SOAK_MINUTES; at++) later.push(await minute());
    yield {
      name: `memory of the engine after ${SOAK_MINUTES} minutes of work ÷ after 1`,
      ratios: [(later.at(-1) ?? Number.NaN) / first],
      bar: { atMost: 1.2 },
      figures: `${[first, ...later].map((bytes) => (bytes / MIB).toFixed(0)).join(", ")} MiB`,
    };
  } finally {
    await setup.stop();
  }
}

async function inTurn<Result>(times: number, work: () => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (let at = 0; at < times; at++) results.push(await work());
  return results;
}

async function startSetup(): Promise<Setup> {
  const engine = await startEngine();
  const options = { env: engine.env };
  const children = serveMany({ leaf, parent: createWorkflow(WORKFLOWS.parent) }, options);
  const handlers: Readonly<Record<string, (request: Request) => Promise<Response>>> = {
    "/row": serve(WORKFLOWS.row, options).handler,
    "/group": serve(WORKFLOWS.group, options).handler,
    "/parent": children.handler,
    "/leaf": children.handler,
  };
  const server = createServer(
    toNode(async (request) => {
      const handler = handlers[new URL(request.url).pathname];
      return handler ? handler(request) : new Response(null, { status: 404 });
    }),
  ).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    engine,
    async measure(path, runs, size) {
      const start = performance.now();
      // A parent's children end, too.
      await engine.runAll(`${origin}/${path}`, runs, size, path === "parent" ? runs * (size + 1) : runs);
      return performance.now() - start;
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await engine.stop();
    },
  };
}

/** Linux only: elsewhere it isn't a number. */
function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
}
