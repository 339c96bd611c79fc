import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve, toNode } from "@perdure/adapters/node";
import { createEngine } from "@perdure/engine";
import { median, type Row } from "./measure.ts";
import { SIGNING_KEYS } from "./sleeping.ts";

const STEP_BYTES = 1000;
const ROUNDS = 5;

/** Bytes that the endpoint receives for a run, divided by those of its steps' results. */
export async function bytesOfRuns(steps: number): Promise<Row> {
  const bench = await startBench();
  try {
    const bytes = await bench.run(steps).then(({ received }) => received);
    return {
      name: `bytes sent to the endpoint for ${steps} steps ÷ ${steps} kB`,
      ratios: [bytes / (steps * STEP_BYTES)],
      bar: { atMost: 2 },
      figures: `${(bytes / 1000).toFixed(0)} kB`,
    };
  } finally {
    await bench.stop();
  }
}

/** Time of a step in a run of 500, divided by that in a run of 10. */
export async function timePerStep(): Promise<Row> {
  const bench = await startBench();
  const perStep = async (steps: number, runs: number): Promise<number> => {
    const times: number[] = [];
    for (let run = 0; run < runs; run++) times.push((await bench.run(steps)).ms / steps);
    return median(times);
  };
  try {
    await perStep(10, 20);
    const long: number[] = [];
    const short: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      long.push(await perStep(500, 1));
      short.push(await perStep(10, 20));
    }
    return {
      name: "time of a step in a run of 500 ÷ in a run of 10",
      ratios: long.map((ms, round) => ms / (short[round] ?? Number.NaN)),
      bar: { atMost: 1.2 },
      figures: `${median(long).toFixed(2)} and ${median(short).toFixed(2)} ms`,
    };
  } finally {
    await bench.stop();
  }
}

interface Bench {
  /** One run of so many steps of 1 kB. */
  run(steps: number): Promise<{ readonly ms: number; readonly received: number }>;
  /** So many runs at once. Resolves when all of them have ended. */
  runAll(runs: number, steps: number): Promise<void>;
  stop(): Promise<void>;
}

const RUNS = 100;

/** Steps in a second of 100 runs at once with the index of the search, divided by those without it. */
export async function stepsWithSearch(): Promise<Row> {
  const [on, off] = [await startBench(), await startBench({ search: false })];
  const rateOf = async (bench: Bench): Promise<number> => {
    const began = performance.now();
    await bench.runAll(RUNS, 10);
    return (RUNS * 10) / ((performance.now() - began) / 1000);
  };
  try {
    for (const bench of [on, off]) await rateOf(bench);
    const [rates, floor]: [number[], number[]] = [[], []];
    for (let round = 0; round < 2 * ROUNDS; round++) {
      const turns = [async () => rates.push(await rateOf(on)), async () => floor.push(await rateOf(off))];
      for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn();
    }
    return {
      name: "steps in a second with the search ÷ without",
      ratios: rates.map((rate, round) => rate / (floor[round] ?? Number.NaN)),
      bar: { atLeast: 0.9 },
      figures: `${median(rates).toFixed(0)} and ${median(floor).toFixed(0)} a second`,
    };
  } finally {
    for (const bench of [on, off]) await bench.stop();
  }
}

/** An engine on a SQLite file and an endpoint, in this process, that speak HTTP. Counts what the endpoint receives. */
async function startBench(options: { readonly search?: boolean } = {}): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), "perdure-bench-"));
  const token = btoa(JSON.stringify({ UserID: "bench", Password: "bench" }));
  let received = 0;
  let ended = (): void => {};
  const engine = createEngine({
    store: join(folder, "engine.db"),
    token,
    signingKeys: SIGNING_KEYS,
    ...options,
    onEvent: ({ type }) => type === "run.completed" && ended(),
  });
  const api = await listen(
    createServer(
      toNode(async (request) => {
        const response = await engine.fetch(request);
        if (!request.url.includes("/append")) return response;
        const body = await response.arrayBuffer();
        received += body.byteLength;
        return new Response(body, response);
      }),
    ),
  );
  const workflow = serve<number>(
    async (context) => {
      for (let step = 0; step < context.requestPayload; step++)
        await context.run(`step ${step}`, () => "x".repeat(STEP_BYTES - 2));
    },
    {
      env: {
        QSTASH_URL: urlOf(api),
        QSTASH_TOKEN: token,
        QSTASH_CURRENT_SIGNING_KEY: SIGNING_KEYS.current,
        QSTASH_NEXT_SIGNING_KEY: SIGNING_KEYS.next,
      },
    },
  );
  const app = await listen(
    createServer((request, response) => {
      request.on("data", (chunk: Buffer) => {
        received += chunk.length;
      });
      request.pause();
      return workflow(request, response);
    }),
  );
  engine.start();
  const trigger = async (steps: number): Promise<void> => {
    const response = await fetch(`${urlOf(api)}/v2/trigger/${urlOf(app)}/workflow`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}` },
      body: String(steps),
    });
    if (!response.ok) throw new TypeError(`The engine answered ${response.status}.`);
  };
  return {
    async run(steps) {
      received = 0;
      const end = new Promise<void>((resolve) => {
        ended = resolve;
      });
      const start = performance.now();
      await trigger(steps);
      await end;
      return { ms: performance.now() - start, received };
    },
    async runAll(runs, steps) {
      let left = runs;
      const end = new Promise<void>((resolve) => {
        ended = () => --left === 0 && resolve();
      });
      await Promise.all(Array.from({ length: runs }, () => trigger(steps)));
      await end;
    },
    async stop() {
      await engine.stop();
      for (const server of [app, api]) {
        server.closeAllConnections();
        server.close();
      }
      rmSync(folder, { recursive: true });
    },
  };
}

async function listen(server: Server): Promise<Server> {
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return server;
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
