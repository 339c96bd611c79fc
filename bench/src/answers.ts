import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import {
  CALL_FEATURES,
  encodeCapabilities,
  FEATURES,
  forCallback,
  forward,
  HEADER,
  type InlineEnd,
  type InlineRecord,
} from "@perdure/core/protocol";
import { type EngineProcess, startEngine, TOKEN } from "./engine-process.ts";
import type { Row } from "./measure.ts";

const MIB = 1024 * 1024;
const RUNS = 60;
/** The most that an answer to a call may have. */
const ANSWER = Buffer.alloc(10 * MIB, 'a JSON answer has "quotes", too. ');
/** Megabytes of heap that the engine gets: less than a tenth of the answers. */
const HEAP = 192;

/**
 * Memory and longest waits of an engine while many runs get the largest answers to calls at once. Each run is inline:
 * the engine makes the record of its call, and its endpoint fetches the history.
 */
export async function answers(): Promise<readonly Row[]> {
  const engine = await startEngine({ flags: [`--max-old-space-size=${HEAP}`] });
  const app = new App(engine);
  try {
    await app.listen();
    const idle = memoryOf(engine, "VmRSS");
    const health = probe(engine);
    await Promise.all(Array.from({ length: RUNS }, (_, at) => app.run(`wfr_${at}`)));
    const waits = await health.stop();
    const peak = memoryOf(engine, "VmHWM");
    return [
      {
        name: `peak memory with ${RUNS} answers of 10 MiB at once ÷ idle`,
        ratios: [peak / idle],
        bar: { atMost: 6 },
        figures: `${(peak / MIB).toFixed(0)} and ${(idle / MIB).toFixed(0)} MiB`,
      },
      {
        name: "/health beside them ÷ 100 ms, 99th percentile",
        ratios: [(waits.at(Math.floor(waits.length * 0.99)) ?? 0) / 100],
        figures: `longest ${waits.at(-1)?.toFixed(0)} ms`,
      },
    ];
  } finally {
    app.close();
    await engine.stop();
  }
}

function memoryOf({ pid }: EngineProcess, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024;
}

/** Asks for `/health` until it is stopped. @returns the waits in milliseconds, the longest last */
function probe({ url }: EngineProcess): { stop(): Promise<number[]> } {
  const waits: number[] = [];
  let over = false;
  const asking = (async () => {
    while (!over) {
      const began = performance.now();
      await (await fetch(`${url}/health`)).arrayBuffer();
      waits.push(performance.now() - began);
      await pause(5);
    }
  })();
  return {
    async stop() {
      over = true;
      await asking;
      return waits.sort((a, b) => a - b);
    },
  };
}

/** A workflow of one call that its endpoint runs inline, and the service that it calls. */
class App {
  readonly #engine: EngineProcess;
  readonly #server = createServer((request, response) => {
    this.#serve(request, response).catch((error: unknown) => {
      response.destroy();
      this.#fail(error);
    });
  });
  readonly #ended = new Map<string, () => void>();
  readonly #failed: Promise<never>;
  #fail: (error: unknown) => void = () => {};
  #url = "";

  constructor(engine: EngineProcess) {
    this.#engine = engine;
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    // `run` reports it.
    this.#failed.catch(() => {});
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.#url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /**
   * Starts a run. Resolves when its endpoint has read the whole history with the answer.
   *
   * @throws TypeError when the engine doesn't do what the bench expects of it
   */
  async run(runId: string): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#ended.set(runId, resolve));
    const headers = {
      [HEADER.runId]: runId,
      [HEADER.init]: "true",
      [HEADER.workflowUrl]: `${this.#url}/app`,
      [HEADER.featureSet]: FEATURES,
      [HEADER.sdkVersion]: "1",
      [forward(HEADER.sdkVersion)]: "1",
    };
    const body = JSON.stringify([{ destination: `${this.#url}/app`, headers, body: "{}" }]);
    const answer = await fetch(`${this.#engine.url}/v2/batch`, { method: "POST", headers: AUTHORIZED, body });
    await answer.arrayBuffer();
    if (!answer.ok) throw new TypeError(`The engine answered the start of a run with ${answer.status}.`);
    await Promise.race([ended, this.#failed]);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    if (request.url === "/third") {
      response.writeHead(200, { "content-type": "application/json" }).end(ANSWER);
      return;
    }
    const history = Buffer.concat(parts).toString();
    const lease = request.headers[HEADER.lease.toLowerCase()];
    if (lease === undefined) throw new TypeError(`A run has failed: ${history}`);
    const runId = String(request.headers[HEADER.runId.toLowerCase()]);
    const first = history !== "" && (JSON.parse(history) as unknown[]).length === 1;
    const invocation = `${runId} ${first}`;
    const end: InlineEnd = first
      ? { invocation, after: 1, end: "parked", records: [this.#call(runId)] }
      : { invocation, after: await this.#fetchHistory(runId), end: "returned", result: "1", records: [] };
    response
      .writeHead(200, {
        "content-type": "application/json",
        [HEADER.sdkVersion]: "1",
        [HEADER.capabilities]: encodeCapabilities({ onCancel: false }),
        [HEADER.lease]: lease,
      })
      .end(JSON.stringify({ perdure: end }));
    if (!first) this.#ended.get(runId)?.();
  }

  #call(runId: string): InlineRecord {
    const step = { stepName: "call", stepType: "Call", concurrent: 1 } as const;
    const answer = {
      [HEADER.runId]: runId,
      [HEADER.callType]: "fromCallback",
      [forward(HEADER.isCallResult)]: "true",
      [forward(HEADER.stepId)]: "1",
      [forward(HEADER.stepName)]: step.stepName,
      [forward(HEADER.stepType)]: step.stepType,
      [forward(HEADER.concurrent)]: "1",
    };
    const headers = {
      [HEADER.runId]: runId,
      [HEADER.featureSet]: CALL_FEATURES,
      [HEADER.callType]: "toCallback",
      [HEADER.method]: "POST",
      [HEADER.retries]: "0",
      [HEADER.callback]: `${this.#url}/app`,
      ...Object.fromEntries(Object.entries(answer).map(([name, value]) => [forCallback(name), value])),
    };
    const lower = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
    );
    return {
      kind: "ask",
      record: { stepId: 0, targetStep: 1, ...step },
      message: { destination: `${this.#url}/third`, body: "", headers: lower },
    };
  }

  /** Reads the history as an endpoint would, but keeps none of it. @returns the number of its entries */
  async #fetchHistory(runId: string): Promise<number> {
    const answer = await fetch(`${this.#engine.url}/v2/workflows/runs/${runId}`, { headers: AUTHORIZED });
    let bytes = 0;
    for await (const part of answer.body ?? []) bytes += part.length;
    if (!answer.ok || bytes < ANSWER.length) throw new TypeError(`The history has ${bytes} bytes.`);
    // The payload, the plan of the call and its result.
    return 3;
  }
}

const AUTHORIZED = { Authorization: `Bearer ${TOKEN}` };
