import type { Tx } from "../tx.ts";
import type { AppendRequest } from "./append-at-once.ts";
import type { EndRequest } from "./end-at-once.ts";

/** An operation that waits for its transaction, or runs in one. */
export type Operation = Work | Append | End;

export interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
  /** When the caller asked for it, in milliseconds since 1970, by the engine's clock. */
  readonly now: number;
  /** When the driver gives it up while the database is away, in milliseconds of `performance.now()`. */
  readonly deadline: number;
  /** How often the database has refused it. */
  refusals: number;
  /** How often its connection was lost. */
  losses: number;
}

export interface Work extends Pending {
  readonly kind: "work";
  readonly perform: (tx: Tx) => Promise<unknown>;
}

/** Appends that need no transaction. They may be stored again after they have been. */
export interface Append extends Pending {
  readonly kind: "append";
  readonly request: AppendRequest;
}

/** The end of a run that leaves nothing to decide. */
export interface End extends Pending {
  readonly kind: "end";
  readonly request: EndRequest;
}

/** Operations that share a transaction. */
export type Group =
  | { readonly kind: "work"; readonly group: readonly Work[] }
  | { readonly kind: "append"; readonly group: readonly Append[] }
  | { readonly kind: "end"; readonly group: readonly End[] };

/** Operations that one transaction takes at most. */
export const MAX_GROUP = 16;

/** Runs to which one statement appends at most, of several requests: a few milliseconds' work. */
const MAX_RUNS = 256;

/**
 * Takes the operations of the next transaction out of a queue: the first one, and others of its kind. One that was refused begins
 * a transaction, so that it may wait for locks, or is alone. One statement appends to each run once.
 *
 * @param share the most of one transaction with several statements
 */
export function takeGroup(queue: Operation[], share: number): Group {
  const kind = queue[0]?.kind ?? "work";
  // A statement for all that wait costs less than several of them, and takes hardly longer.
  const most = kind === "work" ? share : MAX_RUNS;
  const group: Operation[] = [];
  const runs = new Set<string>();
  for (const operation of queue) {
    if (group.length === most) break;
    if (operation.kind !== kind) continue;
    const ids = runsOf(operation);
    const fits =
      operation.refusals === 0 && runs.size + ids.length <= MAX_RUNS && !ids.some((id) => runs.has(id));
    if (group.length > 0 && !fits) break;
    group.push(operation);
    for (const id of ids) runs.add(id);
    if (operation.refusals > 0) break;
  }
  const taken = new Set(group);
  const left = queue.filter((operation) => !taken.has(operation));
  queue.splice(0, queue.length, ...left);
  return { kind, group } as Group;
}

/** The ids of the runs that an operation's statement changes. */
function runsOf(operation: Operation): readonly string[] {
  switch (operation.kind) {
    case "work":
      return [];
    case "append":
      return operation.request.appends.map(({ id }) => id);
    case "end":
      return [operation.request.end.id];
    default:
      return operation satisfies never;
  }
}
