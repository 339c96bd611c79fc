/** The period in which failed logins count, in milliseconds. */
const PERIOD_MS = 60_000;
/** Failed logins a minute from one address. */
const PER_ADDRESS = 10;
/** Failed logins a minute from all addresses: a guesser may have many. */
const IN_ALL = 100;

/** Limits failed logins, so that a guesser can't find a token by trying. */
export class LoginLimit {
  readonly #now: () => number;
  #began = 0;
  #inAll = 0;
  readonly #byAddress = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The seconds until this address may try again; undefined when it may try now. */
  retryAfter(address: string): number | undefined {
    this.#turn();
    if ((this.#byAddress.get(address) ?? 0) < PER_ADDRESS && this.#inAll < IN_ALL) return undefined;
    return Math.ceil((this.#began + PERIOD_MS - this.#now()) / 1000);
  }

  failed(address: string): void {
    this.#turn();
    this.#inAll++;
    this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1);
  }

  /** Begins a new period when the last one is over. */
  #turn(): void {
    const now = this.#now();
    if (now < this.#began + PERIOD_MS && now >= this.#began) return;
    this.#began = now;
    this.#inAll = 0;
    this.#byAddress.clear();
  }
}
