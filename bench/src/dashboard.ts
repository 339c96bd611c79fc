import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { startEngine, TOKEN } from "./engine-process.ts";
import { median, type Row } from "./measure.ts";
import { makeDatabase } from "./sleeping.ts";

const ROUNDS = 7;
/** Messages of a round, and of one batch. */
const MESSAGES = 6000;
const BATCH = 200;
/** The requests of the first page while things change, and the milliseconds between two loads. */
const LISTS = [
  { path: "runs?count=50", ms: 1500 },
  { path: "numbers", ms: 5000 },
];

/** Deliveries in a second while a dashboard shows a database of 100 000 runs, divided by those without it. */
export async function deliveriesBesideDashboard(): Promise<Row> {
  const database = await makeDatabase(100_000, 0);
  const engine = await startEngine({ db: database.file });
  const load = await startLoad(engine.url);
  try {
    await load.deliver();
    const [beside, alone]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      const turns = [
        async () => alone.push(await load.deliver()),
        async () => {
          const close = openDashboard(engine.url);
          beside.push(await load.deliver());
          await close();
        },
      ];
      for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn();
    }
    return {
      name: "deliveries in a second with a dashboard open ÷ without",
      ratios: beside.map((rate, round) => rate / (alone[round] ?? Number.NaN)),
      bar: { atLeast: 0.9 },
      figures: `${median(beside).toFixed(0)} and ${median(alone).toFixed(0)} a second, among 100 000 runs`,
    };
  } finally {
    load.close();
    await engine.stop();
    database.remove();
  }
}

const HEADERS = { Authorization: `Bearer ${TOKEN}` };

/** Does what a page does that is open: reads the stream, and loads its lists again and again. @returns its end */
function openDashboard(engine: string): () => Promise<void> {
  const abort = new AbortController();
  const { signal } = abort;
  const ask = async (path: string): Promise<void> => {
    const answer = await fetch(`${engine}/v2/workflows/${path}`, { headers: HEADERS, signal });
    if (!answer.ok) throw new TypeError(`The engine answered ${answer.status} to ${path}.`);
    for await (const _ of answer.body ?? []);
  };
  const reload = async ({ path, ms }: (typeof LISTS)[number]): Promise<void> => {
    for (;;) {
      await ask(path);
      await pause(ms, undefined, { signal });
    }
  };
  const ends = [ask("stream"), ...LISTS.map(reload)].map((work) =>
    work.catch((error: unknown) => {
      if (!signal.aborted) throw error;
    }),
  );
  return async () => {
    abort.abort();
    await Promise.all(ends);
  };
}

interface Load {
  /** Publishes a round's messages. @returns those that arrive in a second */
  deliver(): Promise<number>;
  close(): void;
}

/** An endpoint, and a client that publishes to it. */
async function startLoad(engine: string): Promise<Load> {
  let arrived = 0;
  let target = 0;
  let done = (): void => {};
  const server: Server = createServer((asked, answer) => {
    asked.resume();
    answer.end();
    if (++arrived === target) done();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const destination = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const batch = JSON.stringify(Array.from({ length: BATCH }, () => ({ destination, body: "x" })));
  return {
    async deliver() {
      const began = performance.now();
      const all = new Promise<void>((resolve) => (done = resolve));
      target = arrived + MESSAGES;
      for (let sent = 0; sent < MESSAGES; sent += BATCH) {
        const answer = await fetch(`${engine}/v2/batch`, { method: "POST", headers: HEADERS, body: batch });
        await answer.arrayBuffer();
        if (!answer.ok) throw new TypeError(`The engine answered ${answer.status}.`);
      }
      await all;
      return MESSAGES / ((performance.now() - began) / 1000);
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
