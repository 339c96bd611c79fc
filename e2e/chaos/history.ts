import { appendFileSync, readFileSync } from "node:fs";
import type { Program } from "./program.ts";

/** The state of a run, as an answer of the engine shows it. */
export interface RunView {
  readonly state: string;
  /** The result as JSON. */
  readonly result?: string | undefined;
  readonly createdAt: number;
}

/** A run when everything has ended. */
export interface FinalRun extends RunView {
  /** The state of the failure function's delivery. */
  readonly failureFunction?: string | undefined;
  /** The results of steps on record, as the workflow gets them, by the steps' names. */
  readonly results: Readonly<Record<string, string>>;
  /** Dead letters with this run. */
  readonly deadLetters: number;
  /** Runs with this id that the engine knows. */
  readonly runs: number;
}

/** A limit that messages share. */
export type Lane =
  /** A queue: `parallelism` messages are on their way at once. With one place, they are delivered in their order. */
  | { readonly kind: "queue"; readonly name: string; readonly parallelism: number }
  /** A flow control key: so many attempts at once. */
  | { readonly kind: "parallelism"; readonly name: string; readonly parallelism: number }
  /** A flow control key: so many attempts in a period. */
  | { readonly kind: "rate"; readonly name: string; readonly rate: number; readonly periodMs: number };

/** A message that a schedule has made. */
export interface Tick {
  readonly message: string;
  /** When it was made, in milliseconds since 1970. */
  readonly at: number;
}

/** A request of the client. */
export type Call =
  | { readonly name: "trigger"; readonly run: string; readonly program: Program }
  /** `lane`: the name of the limit that it shares. */
  | { readonly name: "publish"; readonly message: string; readonly lane?: string }
  /** Creates a schedule with a tick each minute, and deletes it. */
  | { readonly name: "schedule" | "unschedule"; readonly schedule: string }
  | { readonly name: "notify"; readonly run: string; readonly step: string; readonly data: string }
  | { readonly name: "cancel"; readonly run: string }
  | { readonly name: "read"; readonly run: string };

/** The answer to a request. */
export type Answer =
  | { readonly ok: false; readonly error: string }
  /** `waiters`: steps that got the event. `cancelled`: runs that this request has cancelled. */
  | { readonly ok: true; readonly waiters?: number; readonly cancelled?: number; readonly view?: RunView };

/** Something that the client, the endpoint or the machine has done. */
export type What =
  | { readonly e: "call"; readonly op: number; readonly call: Call }
  | { readonly e: "answer"; readonly op: number; readonly answer: Answer }
  /** The work of a step begins. `by` names the invocation of the workflow, here and below. */
  | {
      readonly e: "work";
      readonly run: string;
      readonly step: string;
      readonly key: string;
      readonly by: string;
    }
  /** The work of a step has a result, which isn't on record yet. */
  | { readonly e: "made"; readonly run: string; readonly step: string; readonly value: string }
  /** A workflow has received the result of a step. */
  | {
      readonly e: "see";
      readonly run: string;
      readonly step: string;
      readonly value: string;
      readonly by: string;
    }
  | { readonly e: "undo"; readonly run: string; readonly step: string }
  /** A child run has begun. */
  | { readonly e: "child"; readonly run: string; readonly parent: string; readonly step: string }
  /** The failure function has run to its end. */
  | { readonly e: "told"; readonly run: string; readonly failureId: string }
  /** A message has arrived. */
  | { readonly e: "message"; readonly message: string }
  | { readonly e: "lane"; readonly lane: Lane }
  /** An attempt to deliver a message of a lane begins, and ends: with the answer 200 where it is `ok`. */
  | { readonly e: "begin"; readonly lane: string; readonly message: string; readonly by: string }
  | {
      readonly e: "end";
      readonly lane: string;
      readonly message: string;
      readonly by: string;
      readonly ok: boolean;
    }
  /** A message of a schedule has arrived. `message` is the engine's id. */
  | { readonly e: "tick"; readonly schedule: string; readonly message: string }
  /** What the machine does to the processes. */
  | { readonly e: "fault"; readonly what: string }
  | { readonly e: "final"; readonly run: string; readonly log: FinalRun }
  /** The messages that a schedule has made in its life, as the engine's log has them. */
  | { readonly e: "ticks"; readonly schedule: string; readonly ticks: readonly Tick[] };

/** An entry of a history. All processes are on one machine, and so on one clock. */
export type Event = What & {
  /** Milliseconds since 1970, with fractions. */
  readonly t: number;
};

/** The time of an event. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Adds events to a file, which keeps all that a process wrote before it was killed. */
export function writerOf(file: string): (what: What) => void {
  return (what) => appendFileSync(file, `${JSON.stringify({ t: now(), ...what })}\n`);
}

/** Reads the events of several files, in the order of their times. */
export function readHistory(files: readonly string[]): Event[] {
  const events = files.flatMap((file) =>
    readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Event),
  );
  return events.sort((a, b) => a.t - b.t);
}
