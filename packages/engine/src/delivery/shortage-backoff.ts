import { isIPv4 } from "node:net";
import type { Clock } from "../rules/clock.ts";
import type { Observer } from "../rules/event.ts";

/** System codes for a lack of file descriptors, buffers or memory. */
const CODES: ReadonlySet<unknown> = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"]);

/**
 * The system's code, when an error is about a resource that this machine lacks, not about the destination.
 */
export function shortageOf(error: unknown): string | undefined {
  if (error instanceof AggregateError) {
    return error.errors.map(shortageOf).find((code) => code !== undefined);
  }
  const { code, address, port } = Object(error);
  // No local port is left. For IPv6 or port 0, the code means instead that the address is unreachable.
  const noPort = code === "EADDRNOTAVAIL" && typeof address === "string" && isIPv4(address) && port > 0;
  return CODES.has(code) || noPort ? code : undefined;
}

/** Milliseconds of the first pause after a shortage. Each shortage that follows at once doubles the pause. */
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

  /** Begins a pause and reports it, unless a pause lasts already. */
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

  /** Resets the length of the next pause, after an attempt that succeeded. */
  recover(): void {
    if (!this.#lasts) this.#wait = MIN_BACKOFF_MS;
  }
}
