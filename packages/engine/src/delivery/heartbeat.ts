import type { Cancel, Clock } from "../rules/clock.ts";
import type { Observer } from "../rules/event.ts";
import type { Purpose } from "../rules/message.ts";
import type { Lease, Store } from "../store/store.ts";
import type { Experience } from "./lanes.ts";
import type { Place } from "./places.ts";

/** One message that is being delivered. */
export interface Flight {
  lease: Lease;
  readonly purpose: Purpose;
  readonly place: Place;
  /** Where it counts among what goes to the same destination. */
  readonly lane: string;
  /** Aborted when its answer is no longer wanted. */
  readonly abort: AbortController;
  /** It has landed: what is claimed of the same message from now on is another attempt. */
  landed: boolean;
  /** What its attempt has shown of the destination. */
  experience: Experience;
}

export interface HeartbeatOptions {
  readonly store: Pick<Store, "renew">;
  readonly clock: Clock;
  readonly emit: Observer;
  /** Milliseconds. */
  readonly lease: number;
}

/** While anything is under way, its lease never ends. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  /** By message id. */
  readonly #flights: ReadonlyMap<string, Flight>;
  #next: Cancel | undefined;

  constructor(options: HeartbeatOptions, flights: ReadonlyMap<string, Flight>) {
    this.#options = options;
    this.#flights = flights;
  }

  start(): void {
    if (this.#next) return;
    const { clock, lease } = this.#options;
    this.#next = clock.after(lease / 3, () => {
      this.#next = undefined;
      if (this.#flights.size === 0) return;
      this.start();
      void this.#renew();
    });
  }

  stop(): void {
    this.#next?.();
    this.#next = undefined;
  }

  async #renew(): Promise<void> {
    const { store, clock, lease, emit } = this.#options;
    const leases = [...this.#flights.values()].map((flight) => flight.lease);
    try {
      for (const { messageId } of await store.renew(leases, clock.now() + lease)) {
        const flight = this.#flights.get(messageId);
        // The run has ended, and nobody will hear of the answer. An endpoint's own work is left to come to its end.
        if (flight?.purpose === "call") flight.abort.abort();
      }
    } catch (error) {
      emit({ type: "fault", during: "renewing leases", error });
    }
  }
}
