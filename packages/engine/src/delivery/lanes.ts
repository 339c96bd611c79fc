import type { Purpose } from "../domain/message.ts";
import type { Boarding, LaneOrder } from "../store/lanes.ts";

/** Deliveries, and calls beside them, that may begin now. */
export interface Room {
  readonly deliveries: number;
  readonly calls: number;
}

/**
 * How destinations share the room there is: each may have as much under way as is left free beside it, alone a half, of
 * three a quarter each. So there is always room for one more, whoever is slow or dead. What a destination has no room for
 * waits in its lane in the store.
 */
export class Lanes {
  readonly #underWay = new Map<string, number>();
  /** Those in which messages wait in the store. */
  readonly #waiting = new Set<string>();

  begin(lane: string): void {
    this.#underWay.set(lane, this.#count(lane) + 1);
  }

  end(lane: string): void {
    const left = this.#count(lane) - 1;
    if (left > 0) this.#underWay.set(lane, left);
    else this.#underWay.delete(lane);
  }

  /** Whether a lane in which messages wait has room again. */
  isOpen(room: Room): boolean {
    return [...this.#waiting].some((lane) => this.#roomIn(lane, room) > 0);
  }

  /** What a claim has to know. It counts what that claim gives out. */
  order(room: Room): LaneOrder {
    const boarded = new Map<string, number>();
    const free = { ...room };
    // Each that goes on takes a place from what is left free, too.
    const waiting = new Map(
      [...this.#waiting].map((lane) => [lane, Math.ceil(this.#roomIn(lane, room) / 2)] as const),
    );
    return {
      open: new Map([...waiting].filter(([, places]) => places > 0)),
      board: ({ url, purpose }): Boarding => {
        const lane = laneOf(url, purpose);
        const mine = boarded.get(lane) ?? 0;
        // Nothing overtakes what waits.
        const places = waiting.get(lane) ?? Number.POSITIVE_INFINITY;
        if (mine >= places || this.#count(lane) + mine >= freeFor(lane, free)) return { kind: "full", lane };
        boarded.set(lane, mine + 1);
        if (isCall(lane) && free.calls > 0) free.calls--;
        else free.deliveries--;
        return { kind: "boarded" };
      },
    };
  }

  /** @param lanes those that the claim has looked at, and whether messages still wait there */
  learn(lanes: ReadonlyMap<string, boolean>): void {
    for (const [lane, waits] of lanes) {
      if (waits) this.#waiting.add(lane);
      else this.#waiting.delete(lane);
    }
  }

  #roomIn(lane: string, room: Room): number {
    return Math.max(0, freeFor(lane, room) - this.#count(lane));
  }

  #count(lane: string): number {
    return this.#underWay.get(lane) ?? 0;
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

function freeFor(lane: string, { deliveries, calls }: Room): number {
  // Calls above their own limit count as deliveries.
  return isCall(lane) && calls > 0 ? calls : deliveries;
}
