import type { MessageKind } from "../rules/message.ts";
import type { Admission, DestinationOrder } from "../store/claim-order.ts";

/** Deliveries, and calls beside them, that may begin now. */
export interface FreeCapacity {
  readonly deliveries: number;
  readonly calls: number;
}

/** The destination's behaviour in an attempt: it answered, or it let the attempt time out. */
export type Responsiveness = "answered" | "hung" | "none";

interface DestinationState {
  inFlight: number;
  /** Places that it may have while there is plenty of room. */
  share: number;
  /** Its last attempt hung. */
  hangs: boolean;
}

/** Places for a destination that nothing is known of. */
const INITIAL_SHARE = 64;
/** Places for one that answers, at most: more would rather bring it down. */
const MAX_SHARE = 128;
/** Destinations that are remembered because they hang. */
const MAX_REMEMBERED = 10_000;

/**
 * How destinations share the slots that there are. Of the first half of all slots each destination may have its share,
 * of the next quarter ever less of it, and the last quarter is kept for destinations with nothing under way. A share
 * grows with each answer, and is halved with each attempt that hangs. All destinations that hang have a quarter of the
 * slots together, one each in the end: so there is always room for one more, however many are dead. A message that its
 * destination has no room for waits in its destination in the store.
 */
export class DestinationLimiter {
  readonly #total: FreeCapacity;
  readonly #destinations = new Map<string, DestinationState>();
  /** Lanes in which messages wait in the store, in the order in which they have their turn. */
  readonly #waiting = new Set<string>();
  /** Deliveries and calls under way to destinations that hang. */
  readonly #hanging = { deliveries: 0, calls: 0 };

  /** @param total slots, all of them */
  constructor(total: FreeCapacity) {
    this.#total = total;
  }

  begin(name: string): void {
    const destination = this.#destinations.get(name) ?? { inFlight: 0, share: INITIAL_SHARE, hangs: false };
    this.#destinations.set(name, destination);
    this.#count(name, destination, 1);
  }

  end(name: string, responsiveness: Responsiveness): void {
    const destination = this.#destinations.get(name);
    if (!destination) return;
    const before = destination.inFlight;
    this.#count(name, destination, -before);
    if (responsiveness === "answered") {
      destination.share = Math.min(destination.share + 1, MAX_SHARE);
      destination.hangs = false;
    } else if (responsiveness === "hung") {
      destination.share = Math.max(1, Math.floor(Math.min(destination.share, before) / 2));
      destination.hangs = true;
    }
    this.#count(name, destination, before - 1);
    if (destination.inFlight === 0) this.#remember(name, destination);
  }

  /** Whether a destination in which messages wait has room again. */
  hasCapacity(free: FreeCapacity): boolean {
    for (const destination of this.#waiting) if (this.#capacityOf(destination, free) > 0) return true;
    return false;
  }

  /** Returns the destinations' limits for a claim. It counts the messages that the claim takes. */
  order(capacity: FreeCapacity): DestinationOrder {
    const admitted = new Map<string, number>();
    const free = { ...capacity };
    // Each that goes on takes a slot from what is left free, too.
    const waiting = new Map(
      [...this.#waiting].map(
        (destination) => [destination, Math.ceil(this.#capacityOf(destination, capacity) / 2)] as const,
      ),
    );
    const hanging = { ...this.#hanging };
    return {
      open: new Map([...waiting].filter(([, slots]) => slots > 0)),
      admit: ({ url, kind }): Admission => {
        const name = destinationOf(url, kind);
        const mine = admitted.get(name) ?? 0;
        // Nothing overtakes what waits.
        const slots = waiting.get(name) ?? Number.POSITIVE_INFINITY;
        if (mine >= slots || this.#capacityOf(name, free, hanging) - mine <= 0) {
          return { kind: "full", destination: name };
        }
        admitted.set(name, mine + 1);
        if (this.#destinations.get(name)?.hangs) hanging[kindOf(name)]++;
        if (isCall(name) && free.calls > 0) free.calls--;
        else free.deliveries--;
        return { kind: "admitted" };
      },
    };
  }

  /** @param destinations those that the claim has looked at, and whether messages still wait there */
  update(destinations: ReadonlyMap<string, boolean>): void {
    for (const [destination, waits] of destinations) {
      // Those that have had their turn come last.
      this.#waiting.delete(destination);
      if (waits) this.#waiting.add(destination);
    }
  }

  /** How many more may begin. */
  #capacityOf(name: string, capacity: FreeCapacity, hanging: FreeCapacity = this.#hanging): number {
    const destination = this.#destinations.get(name);
    const inFlight = destination?.inFlight ?? 0;
    // Calls above their own limit count as deliveries.
    const kind = isCall(name) && capacity.calls > 0 ? "calls" : "deliveries";
    const [free, total] = [capacity[kind], this.#total[kind]];
    if (free <= 0) return 0;
    if (destination?.hangs) {
      const left = Math.max(1, Math.floor(total / 4)) - hanging[kindOf(name)];
      if (left <= 0) return 0;
    }
    if (inFlight === 0 && free <= total / 4) return 1;
    const plenty = Math.min(1, (free - total / 4) / (total / 4));
    const share = Math.min(destination?.share ?? INITIAL_SHARE, Math.max(1, Math.floor(total / 2)));
    return Math.max(inFlight === 0 ? 1 : 0, Math.floor(share * plenty) - inFlight);
  }

  #count(name: string, destination: DestinationState, change: number): void {
    destination.inFlight += change;
    if (destination.hangs) this.#hanging[kindOf(name)] += change;
  }

  /** Keeps what is known of a destination that hangs, and of others while something is under way. */
  #remember(name: string, destination: DestinationState): void {
    this.#destinations.delete(name);
    if (!destination.hangs && destination.share >= INITIAL_SHARE) return;
    this.#destinations.set(name, destination);
    if (this.#destinations.size <= MAX_REMEMBERED) return;
    for (const [oldest, { inFlight }] of this.#destinations) {
      if (inFlight > 0) continue;
      this.#destinations.delete(oldest);
      return;
    }
  }
}

const CALLS = "calls ";

/** By the server that is called; calls have room of their own. */
export function destinationOf(url: string, kind: MessageKind): string {
  const { origin } = new URL(url);
  return kind === "call" ? CALLS + origin : origin;
}

function isCall(destination: string): boolean {
  return destination.startsWith(CALLS);
}

function kindOf(destination: string): keyof FreeCapacity {
  return isCall(destination) ? "calls" : "deliveries";
}
