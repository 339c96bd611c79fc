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

/** Milliseconds that an endpoint has to answer a delivery. */
export const DELIVERY_TIMEOUT_MS = 15_000;

/** Decides what befalls one run: the same in each repetition of its seed. */
export class Faults {
  readonly #random: Random;
  readonly #share: number;
  /** Seconds after its start at which the run fails, wherever it is. */
  readonly timeLimit: number | undefined;
  /** Moments of the run until somebody cancels it. */
  #cancelIn: number;
  /** Faults that are left: a run whose retries they used up would say nothing of its own failures. */
  #left: number;

  constructor(seed: number, count: number) {
    this.#random = seeded(seed);
    this.#left = count;
    this.#share = 0.05 + 0.3 * this.#random.next();
    const isCut = (share: number): boolean => count > 0 && this.#random.next() < share;
    this.#cancelIn = isCut(0.15) ? Math.ceil(20 * this.#random.next()) : Number.POSITIVE_INFINITY;
    this.timeLimit = isCut(0.1) ? Math.ceil(20 * this.#random.next()) : undefined;
  }

  /** Whether the run's outcome depends only on its program, and on who wins its races. */
  get endsByItself(): boolean {
    return this.#cancelIn === Number.POSITIVE_INFINITY && this.timeLimit === undefined;
  }

  /** Counts a moment of the run. @returns whether somebody cancels the run now */
  isCancelled(): boolean {
    this.#cancelIn--;
    return this.#cancelIn === 0;
  }

  /** Milliseconds that a step's work takes. */
  duration(): number {
    if (this.#one([true])) return DELIVERY_TIMEOUT_MS * 2 * this.#random.next();
    return this.#random.next() < 0.3 ? Math.floor(3000 * this.#random.next()) : 0;
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
