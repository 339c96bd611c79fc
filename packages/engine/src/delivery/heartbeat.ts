import type { Store } from "../commands/store.ts";
import type { Cancel, Clock } from "../rules/clock.ts";
import type { Observer } from "../rules/event.ts";
import type { MessageKind } from "../rules/message.ts";
import type { Lease } from "../store/claims.ts";
import type { ConcurrencySlot } from "./concurrency-slots.ts";
import type { Responsiveness } from "./destination-limiter.ts";

/** One message that is being delivered. */
export interface InFlightDelivery {
  lease: Lease;
  readonly kind: MessageKind;
  readonly slot: ConcurrencySlot;
  /** The destination against whose limit the delivery counts. */
  readonly destination: string;
  /** Aborted when the engine no longer needs the answer. */
  readonly abort: AbortController;
  /** True once the attempt has ended: a later claim of the same message is another attempt. */
  finished: boolean;
  /** Whether its run has recorded a step since it began. */
  heard: boolean;
  /** The destination's behaviour in the attempt. */
  responsiveness: Responsiveness;
}

export interface HeartbeatOptions {
  readonly store: Pick<Store, "renew">;
  readonly clock: Clock;
  readonly emit: Observer;
  /** Milliseconds. */
  readonly lease: number;
}

/** Renews the leases of deliveries in flight, so that none expires. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  /** By message id. */
  readonly #inFlight: ReadonlyMap<string, InFlightDelivery>;
  readonly #claimed: () => Promise<void>;
  #next: Cancel | undefined;

  /** @param claimed resolves when the messages of the claim that is under way are in flight */
  constructor(
    options: HeartbeatOptions,
    inFlight: ReadonlyMap<string, InFlightDelivery>,
    claimed: () => Promise<void>,
  ) {
    this.#options = options;
    this.#inFlight = inFlight;
    this.#claimed = claimed;
  }

  start(): void {
    if (this.#next) return;
    const { clock, lease } = this.#options;
    this.#next = clock.after(lease / 3, () => {
      this.#next = undefined;
      if (this.#inFlight.size === 0) return;
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
    const leases = [...this.#inFlight.values()].map((delivery) => delivery.lease);
    try {
      const lost = await store.renew(leases, clock.now() + lease);
      // Where time has jumped past a lease, this engine may have claimed the message again: then its delivery goes on.
      if (lost.length > 0) await this.#claimed();
      for (const { messageId, fence } of lost) {
        const delivery = this.#inFlight.get(messageId);
        if (delivery?.lease.fence !== fence || delivery.finished) continue;
        // The run has ended, so no step needs a call's answer. An endpoint's own work may finish.
        if (delivery.kind === "call") delivery.abort.abort();
      }
    } catch (error) {
      emit({ type: "fault", during: "renewing leases", error });
    }
  }
}
