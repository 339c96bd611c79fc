import type { Purpose } from "../rules/message.ts";
import type { Boarding, LaneOrder } from "../store/lanes.ts";

/** Deliveries, and calls beside them, that may begin now. */
export interface Room {
  readonly deliveries: number;
  readonly calls: number;
}

/** What an attempt has shown of its destination: it answers, or it kept the engine waiting for nothing. */
export type Experience = "answered" | "hung" | "none";

interface Lane {
  underWay: number;
  /** Places that it may have while there is plenty of room. */
  share: number;
  /** Its last attempt hung. */
  hangs: boolean;
}

/** Places for a destination that nothing is known of. */
const FIRST_SHARE = 64;
/** Places for one that answers, at most: more would rather bring it down. */
const MOST_SHARE = 128;
/** Destinations that are remembered because they hang. */
const REMEMBERED = 10_000;

/**
 * How destinations share the places that there are. Of the first half of all places each destination may have its share,
 * of the next quarter ever less of it, and the last quarter is kept for destinations with nothing under way. A share
 * grows with each answer, and is halved with each attempt that hangs. All destinations that hang have a quarter of the
 * places together, one each in the end: so there is always room for one more, however many are dead. A message that its
 * destination has no room for waits in its lane in the store.
 */
export class Lanes {
  readonly #total: Room;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes in which messages wait in the store, in the order in which they have their turn. */
  readonly #waiting = new Set<string>();
  /** Deliveries and calls under way to destinations that hang. */
  readonly #hanging = { deliveries: 0, calls: 0 };

  /** @param total places, all of them */
  constructor(total: Room) {
    this.#total = total;
  }

  begin(name: string): void {
    const lane = this.#lanes.get(name) ?? { underWay: 0, share: FIRST_SHARE, hangs: false };
    this.#lanes.set(name, lane);
    this.#count(name, lane, 1);
  }

  end(name: string, experience: Experience): void {
    const lane = this.#lanes.get(name);
    if (!lane) return;
    const before = lane.underWay;
    this.#count(name, lane, -before);
    if (experience === "answered") {
      lane.share = Math.min(lane.share + 1, MOST_SHARE);
      lane.hangs = false;
    } else if (experience === "hung") {
      lane.share = Math.max(1, Math.floor(Math.min(lane.share, before) / 2));
      lane.hangs = true;
    }
    this.#count(name, lane, before - 1);
    if (lane.underWay === 0) this.#remember(name, lane);
  }

  /** Whether a lane in which messages wait has room again. */
  isOpen(room: Room): boolean {
    for (const lane of this.#waiting) if (this.#placesIn(lane, room) > 0) return true;
    return false;
  }

  /** What a claim has to know. It counts what that claim gives out. */
  order(room: Room): LaneOrder {
    const boarded = new Map<string, number>();
    const free = { ...room };
    // Each that goes on takes a place from what is left free, too.
    const waiting = new Map(
      [...this.#waiting].map((lane) => [lane, Math.ceil(this.#placesIn(lane, room) / 2)] as const),
    );
    const hanging = { ...this.#hanging };
    return {
      open: new Map([...waiting].filter(([, places]) => places > 0)),
      board: ({ url, purpose }): Boarding => {
        const name = laneOf(url, purpose);
        const mine = boarded.get(name) ?? 0;
        // Nothing overtakes what waits.
        const places = waiting.get(name) ?? Number.POSITIVE_INFINITY;
        if (mine >= places || this.#placesIn(name, free, hanging) - mine <= 0) {
          return { kind: "full", lane: name };
        }
        boarded.set(name, mine + 1);
        if (this.#lanes.get(name)?.hangs) hanging[kindOf(name)]++;
        if (isCall(name) && free.calls > 0) free.calls--;
        else free.deliveries--;
        return { kind: "boarded" };
      },
    };
  }

  /** @param lanes those that the claim has looked at, and whether messages still wait there */
  learn(lanes: ReadonlyMap<string, boolean>): void {
    for (const [lane, waits] of lanes) {
      // Those that have had their turn come last.
      this.#waiting.delete(lane);
      if (waits) this.#waiting.add(lane);
    }
  }

  /** How many more may begin. */
  #placesIn(name: string, room: Room, hanging: Room = this.#hanging): number {
    const lane = this.#lanes.get(name);
    const underWay = lane?.underWay ?? 0;
    // Calls above their own limit count as deliveries.
    const kind = isCall(name) && room.calls > 0 ? "calls" : "deliveries";
    const [free, total] = [room[kind], this.#total[kind]];
    if (free <= 0) return 0;
    if (lane?.hangs) {
      const left = Math.max(1, Math.floor(total / 4)) - hanging[kindOf(name)];
      if (left <= 0) return 0;
    }
    if (underWay === 0 && free <= total / 4) return 1;
    const plenty = Math.min(1, (free - total / 4) / (total / 4));
    const share = Math.min(lane?.share ?? FIRST_SHARE, Math.max(1, Math.floor(total / 2)));
    return Math.max(underWay === 0 ? 1 : 0, Math.floor(share * plenty) - underWay);
  }

  #count(name: string, lane: Lane, change: number): void {
    lane.underWay += change;
    if (lane.hangs) this.#hanging[kindOf(name)] += change;
  }

  /** Keeps what is known of a destination that hangs, and of others while something is under way. */
  #remember(name: string, lane: Lane): void {
    this.#lanes.delete(name);
    if (!lane.hangs && lane.share >= FIRST_SHARE) return;
    this.#lanes.set(name, lane);
    if (this.#lanes.size <= REMEMBERED) return;
    for (const [oldest, { underWay }] of this.#lanes) {
      if (underWay > 0) continue;
      this.#lanes.delete(oldest);
      return;
    }
  }
}

const CALLS = "calls ";

/** By the server that is called; calls have room of their own. */
export function laneOf(url: string, purpose: Purpose): string {
  const { origin } = new URL(url);
  return purpose === "call" ? CALLS + origin : origin;
}

function isCall(lane: string): boolean {
  return lane.startsWith(CALLS);
}

function kindOf(lane: string): keyof Room {
  return isCall(lane) ? "calls" : "deliveries";
}
