import type { RemoteEngine } from "./engine.ts";
import { type Column, formatDistance, formatTable, printJson } from "./output.ts";

/** The flags of the commands that list. */
export interface ListFlags {
  readonly json?: boolean;
}

interface Queue {
  readonly name: string;
  readonly parallelism: number;
  readonly paused: boolean;
  readonly lag: number;
}

interface Flow {
  readonly flowControlKey: string;
  readonly waitListSize: number;
  readonly parallelismMax: number;
  readonly parallelismCount: number;
  readonly rateMax: number;
  readonly rateCount: number;
  readonly ratePeriod: number;
  readonly isPaused: boolean;
}

interface Schedule {
  readonly scheduleId: string;
  readonly cron: string;
  readonly destination: string;
  readonly isPaused: boolean;
  readonly nextScheduleTime?: number;
}

/** A list of what holds back or starts messages. */
interface LimitList<Row> {
  /** Below `/v2`. */
  readonly path: string;
  /** Printed for an empty list. */
  readonly none: string;
  readonly columnsAt: (now: number) => Column<Row>[];
}

/** `perdure queues`. */
const QUEUES: LimitList<Queue> = {
  path: "queues",
  none: "No queues.",
  columnsAt: () => [
    { title: "QUEUE", cell: ({ name }) => name, shrinkTo: 12 },
    { title: "PARALLELISM", cell: ({ parallelism }) => String(parallelism), align: "right" },
    { title: "WAITING", cell: ({ lag }) => String(lag), align: "right" },
    { title: "STATE", cell: ({ paused }) => stateOf(paused) },
  ],
};

/** `perdure flows`. */
const FLOWS: LimitList<Flow> = {
  path: "flowControl",
  none: "No flow control keys.",
  columnsAt: () => [
    { title: "KEY", cell: ({ flowControlKey }) => flowControlKey, shrinkTo: 12 },
    {
      title: "PARALLELISM",
      cell: ({ parallelismMax: max, parallelismCount }) =>
        max > 0 ? `${parallelismCount} of ${max}` : "no limit",
    },
    {
      title: "RATE",
      cell: ({ rateMax, rateCount, ratePeriod }) =>
        rateMax > 0 ? `${rateCount} of ${rateMax} in ${ratePeriod}s` : "no limit",
    },
    { title: "WAITING", cell: ({ waitListSize }) => String(waitListSize), align: "right" },
    { title: "STATE", cell: ({ isPaused }) => stateOf(isPaused) },
  ],
};

/** `perdure schedules`. */
const SCHEDULES: LimitList<Schedule> = {
  path: "schedules",
  none: "No schedules.",
  columnsAt: (now) => [
    { title: "SCHEDULE", cell: ({ scheduleId }) => scheduleId, shrinkTo: 12 },
    { title: "CRON", cell: ({ cron }) => cron },
    {
      title: "NEXT",
      cell: ({ nextScheduleTime: next, isPaused }) => (next && !isPaused ? formatDistance(next, now) : ""),
      align: "right",
    },
    { title: "STATE", cell: ({ isPaused }) => stateOf(isPaused) },
    { title: "DESTINATION", cell: ({ destination }) => destination, shrinkTo: 12 },
  ],
};

/** The commands that list what holds back or starts messages. */
export type LimitCommand = "queues" | "flows" | "schedules";

/** Runs `perdure queues`, `perdure flows` or `perdure schedules`: lists them with what waits. */
export function listLimits(engine: RemoteEngine, command: LimitCommand, flags: ListFlags): Promise<void> {
  switch (command) {
    case "queues":
      return list(engine, QUEUES, flags);
    case "flows":
      return list(engine, FLOWS, flags);
    case "schedules":
      return list(engine, SCHEDULES, flags);
    default:
      return command satisfies never;
  }
}

async function list<Row>(
  engine: RemoteEngine,
  { path, none, columnsAt }: LimitList<Row>,
  { json }: ListFlags,
): Promise<void> {
  const rows = await engine.request<readonly Row[]>("GET", path);
  if (json) printJson(rows);
  else console.log(rows.length > 0 ? formatTable(rows, columnsAt(Date.now())) : none);
}

const PATHS: Readonly<Record<LimitCommand, string>> = {
  queues: QUEUES.path,
  flows: FLOWS.path,
  schedules: SCHEDULES.path,
};

/** Runs `perdure queues|flows|schedules pause|resume <name>`. */
export async function setPaused(
  engine: RemoteEngine,
  command: LimitCommand,
  { name, paused }: { readonly name: string; readonly paused: boolean },
): Promise<void> {
  const action = paused ? "pause" : "resume";
  await engine.request("POST", `${PATHS[command]}/${encodeURIComponent(name)}/${action}`);
  console.log(paused ? `${name} is paused.` : `${name} is resumed.`);
}

function stateOf(paused: boolean): string {
  return paused ? "paused" : "active";
}
