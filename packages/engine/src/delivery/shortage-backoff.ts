import { isIPv4 } from "node:net";
import type { Clock } from "../rules/clock.ts";
import type { Observer } from "../rules/event.ts";

/** File descriptors, buffers, memory. */
const CODES: ReadonlySet<unknown> = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"]);

/** The system's code, where an error says that this machine lacks something, and nothing of the destination. */
export function shortageOf(error: unknown): string | undefined {
  if (error instanceof AggregateError) {
    return error.errors.map(shortageOf).find((code) => code !== undefined);
  }
  const { code, address, port } = Object(error);
  // No local port is left. But of IPv6, or of port 0, it says that nobody can be reached there.
  const noPort = code === "EADDRNOTAVAIL" && typeof address === "string" && isIPv4(address) && port > 0;
  return CODES.has(code) || noPort ? code : undefined;
}

/** Milliseconds for which nothing is begun after a shortage: twice as long after each that follows at once. */
const MIN_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5000;

export interface ShortageBackoffOptions {
  readonly clock: Clock;
  readonly emit: Observer;
}

/** Pauses new deliveries for a moment while this machine lacks a resource. */
export class ShortageBackoff {
  readonly #options: ShortageBackoffOptions;
  readonly #onOver: () => void;
  #wait = MIN_BACKOFF_MS;
  #lasts = false;

  constructor(options: ShortageBackoffOptions, onOver: () => void) {
    this.#options = options;
    this.#onOver = onOver;
  }

  get active(): boolean {
    return this.#lasts;
  }

  /** Begins one, and tells those who watch, unless one lasts already. */
  begin(code: string): void {
    if (this.#lasts) return;
    const wait = this.#wait;
    this.#lasts = true;
    this.#wait = Math.min(wait * 2, MAX_BACKOFF_MS);
    this.#options.emit({ type: "shortage", code, wait });
    this.#options.clock.after(wait, () => {
      this.#lasts = false;
      this.#onOver();
    });
  }

  /** Something went through: the next one is short again. */
  recover(): void {
    if (!this.#lasts) this.#wait = MIN_BACKOFF_MS;
  }
}
