import { type Random, seeded } from "../support/seed.ts";

/** What befalls a request to the engine. */
export type RequestFault =
  | "none"
  /** The engine doesn't get it. */
  | "lost"
  /** The engine carries it out, and its answer is lost. */
  | "unanswered"
  /** It arrives twice, and the second answer counts. */
  | "twice"
  /** Its sender hears of a broken connection; it arrives later. */
  | "late"
  | "refused"
  /** The process that sends it dies before it has left, or before the answer has come. */
  | "dies before"
  | "dies after";

/** What befalls a delivery to an endpoint. */
export type DeliveryFault =
  | "none"
  | "lost"
  /** The connection breaks while the endpoint is at work, which may learn of it. */
  | "cut"
  | "cut and told"
  /** The endpoint's answer is lost. */
  | "unanswered"
  | "hangs"
  /** It arrives twice, one right after the other. */
  | "twice"
  | "dies before"
  /** The endpoint's process dies while it is at work. */
  | "dies";

const REQUEST_FAULTS: readonly RequestFault[] = [
  ...(["lost", "unanswered", "unanswered", "twice", "late", "late", "refused"] as const),
  ...(["dies before", "dies after", "dies after"] as const),
];
const DELIVERY_FAULTS: readonly DeliveryFault[] = [
  ...([
    "lost",
    "cut",
    "cut",
    "cut and told",
    "unanswered",
    "unanswered",
    "hangs",
    "dies before",
    "dies",
    "twice",
    "twice",
  ] as const),
];

/** Decides what befalls one run: the same in each repetition of its seed. */
export class Faults {
  readonly #random: Random;
  readonly #share: number;
  /** Faults that are left: a run whose retries they used up would say nothing of its own failures. */
  #left: number;

  constructor(seed: number, count: number) {
    this.#random = seeded(seed);
    this.#left = count;
    this.#share = 0.05 + 0.3 * this.#random.next();
  }

  /** Turns of the event loop. */
  turns(): number {
    return this.#random.next() < 0.5 ? 0 : Math.floor(12 * this.#random.next());
  }

  request(): RequestFault {
    return this.#one(REQUEST_FAULTS) ?? "none";
  }

  delivery(): DeliveryFault {
    return this.#one(DELIVERY_FAULTS) ?? "none";
  }

  /** Whether a process dies at this point of a step's work. */
  dies(): boolean {
    return this.#one([true]) ?? false;
  }

  chance(share: number): boolean {
    return this.#random.next() < share;
  }

  #one<Fault>(faults: readonly Fault[]): Fault | undefined {
    if (this.#left <= 0 || this.#random.next() >= this.#share) return undefined;
    this.#left--;
    return faults[Math.floor(this.#random.next() * faults.length)];
  }
}
