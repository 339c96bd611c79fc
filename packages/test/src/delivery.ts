import { AsyncLocalStorage } from "node:async_hooks";
import type { DeliveryKind } from "@perdure/core/protocol";

const deliveries = new AsyncLocalStorage<Delivery>();

/** The delivery for which the running code works. */
export function currentDelivery(): Delivery | undefined {
  return deliveries.getStore();
}

/** One delivery to an endpoint, and the faults that happen to it. */
export class Delivery {
  readonly kind: DeliveryKind;
  readonly runId: string | undefined;
  /** The endpoint's process has died: its code goes no further. */
  isDead = false;
  /** The engine doesn't receive the endpoint's answer. */
  losesAnswer = false;
  /** The engine delivers the same request a second time. */
  isRepeated = false;
  #kill: (error: Error) => void = () => {};
  /** Rejects when the endpoint's process dies. */
  readonly #death: Promise<never>;

  constructor(kind: DeliveryKind, runId: string | undefined) {
    this.kind = kind;
    this.runId = runId;
    this.#death = new Promise((_, reject) => {
      this.#kill = reject;
    });
    this.#death.catch(() => {});
  }

  /** Runs the endpoint. @throws Error when its process dies, or its answer is lost */
  async run(endpoint: () => Promise<Response>): Promise<Response> {
    const answer = await Promise.race([deliveries.run(this, endpoint), this.#death]);
    if (this.losesAnswer) throw new Error("The answer was lost (a fault of the test).");
    return answer;
  }

  /** Ends the endpoint's process. The returned promise never settles: code of a dead process goes no further. */
  die(reason: string): Promise<never> {
    this.isDead = true;
    this.#kill(new Error(reason));
    return new Promise(() => {});
  }
}
