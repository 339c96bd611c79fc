import type { MessageKind } from "../rules/message.ts";
import type { Admission, DestinationOrder } from "../store/claim-order.ts";

/** Numbers of deliveries, and of calls beside them, that may begin now. */
export interface FreeCapacity {
  readonly deliveries: number;
  readonly calls: number;
}

/** The destination's behaviour in an attempt: it answered, or it let the attempt time out. */
export type Responsiveness = "answered" | "hung" | "none";

interface DestinationState {
  inFlight: number;
  /** Slots that the destination may use while many are free. */
  share: number;
  /** Whether the last attempt at the destination hung. */
  hangs: boolean;
}

/** Slots for an unknown destination. */
const INITIAL_SHARE = 256;
/**
 * Maximum number of slots for a destination that answers: more could overload it. A run holds its slot from its first step to
 * its last one while it runs inline, and the more runs are under way, the more of their appends share a commit.
 */
const MAX_SHARE = 512;
/** Maximum number of hanging destinations that the limiter remembers. */
const MAX_REMEMBERED = 10_000;

/**
 * Divides the slots among destinations. While half of all slots are free, each destination may use its full share; in the next
 * quarter, the usable share shrinks; the last quarter is reserved for destinations with nothing in flight. Each answer increases
 * a destination's share, and so does the first step of a run in flight; each attempt that hangs halves it. All hanging
 * destinations together get a quarter of the slots, in the end one each: so one more destination always has room, however many
 * are dead. A message waits in the store while its destination has no room for it.
 */
export class DestinationLimiter {
  readonly #total: FreeCapacity;
  readonly #destinations = new Map<string, DestinationState>();
  /** Destinations with messages that wait in the store, in the order of their turns. */
  readonly #waiting = new Set<string>();
  /** Deliveries and calls in flight to destinations that hang. */
  readonly #hanging = { deliveries: 0, calls: 0 };

  /** @param total the number of all slots */
  constructor(total: FreeCapacity) {
    this.#total = total;
  }

  begin(name: string): void {
    const destination = this.#destinations.get(name) ?? { inFlight: 0, share: INITIAL_SHARE, hangs: false };
    this.#destinations.set(name, destination);
    this.#count(name, destination, 1);
  }

  /**
   * Counts as the answer to a delivery that is still in flight: its run has recorded a step, so the destination works on it. At the
   * delivery's end it doesn't count again.
   */
  hear(name: string): void {
    this.#note(name, "answered", 0);
  }

  end(name: string, responsiveness: Responsiveness): void {
    this.#note(name, responsiveness, -1);
    this.#forget(name);
  }

  /** @param change of the number of deliveries in flight */
  #note(name: string, responsiveness: Responsiveness, change: -1 | 0): void {
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
    this.#count(name, destination, before + change);
  }

  /** Whether any destination with waiting messages has room again. */
  hasCapacity(free: FreeCapacity): boolean {
    for (const destination of this.#waiting) if (this.#capacityOf(destination, free) > 0) return true;
    return false;
  }

  /** Returns the destinations' limits for a claim. The limits count the messages that the claim takes. */
  order(capacity: FreeCapacity): DestinationOrder {
    const admitted = new Map<string, number>();
    const free = { ...capacity };
    // Half of the capacity, because each admitted message also takes one of the free slots.
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
        // No message overtakes the messages that wait.
        const slots = waiting.get(name) ?? Number.POSITIVE_INFINITY;
        if (mine >= slots || this.#capacityOf(name, free, hanging) - mine <= 0) {
          return { kind: "full", destination: name };
        }
        admitted.set(name, mine + 1);
        if (this.#destinations.get(name)?.hangs) hanging[capacityFor(name)]++;
        if (isCall(name) && free.calls > 0) free.calls--;
        else free.deliveries--;
        return { kind: "admitted" };
      },
    };
  }

  /**
   * @param destinations the destinations that the claim looked at, and whether messages still wait for each
   */
  update(destinations: ReadonlyMap<string, boolean>): void {
    for (const [destination, waits] of destinations) {
      // A destination that had its turn goes to the end.
      this.#waiting.delete(destination);
      if (waits) this.#waiting.add(destination);
      else this.#forget(destination);
    }
  }

  /** The number of messages to this destination that may begin now. */
  #capacityOf(name: string, capacity: FreeCapacity, hanging: FreeCapacity = this.#hanging): number {
    const destination = this.#destinations.get(name);
    const inFlight = destination?.inFlight ?? 0;
    // Calls above their own limit count as deliveries.
    const kind = isCall(name) && capacity.calls > 0 ? "calls" : "deliveries";
    const [free, total] = [capacity[kind], this.#total[kind]];
    if (free <= 0) return 0;
    if (destination?.hangs) {
      const left = Math.max(1, Math.floor(total / 4)) - hanging[capacityFor(name)];
      if (left <= 0) return 0;
    }
    if (inFlight === 0 && free <= total / 4) return 1;
    const plenty = Math.min(1, (free - total / 4) / (total / 4));
    const share = Math.min(destination?.share ?? INITIAL_SHARE, Math.max(1, Math.floor(total / 2)));
    return Math.max(inFlight === 0 ? 1 : 0, Math.floor(share * plenty) - inFlight);
  }

  #count(name: string, destination: DestinationState, change: number): void {
    destination.inFlight += change;
    if (destination.hangs) this.#hanging[capacityFor(name)] += change;
  }

  /** Forgets the state of a destination, unless it hangs, or has messages that wait or are in flight. */
  #forget(name: string): void {
    const destination = this.#destinations.get(name);
    if (!destination || destination.inFlight > 0 || this.#waiting.has(name)) return;
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

/** Names the destination of a URL by its server. Calls get a separate destination. */
export function destinationOf(url: string, kind: MessageKind): string {
  const { origin } = new URL(url);
  return kind === "call" ? CALLS + origin : origin;
}

function isCall(destination: string): boolean {
  return destination.startsWith(CALLS);
}

function capacityFor(destination: string): keyof FreeCapacity {
  return isCall(destination) ? "calls" : "deliveries";
}
