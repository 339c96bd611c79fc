/** Why a wait is over. */
export type WaitEnd = "time" | "closed" | "stopped";

/**
 * A caller that looks at a run, and waits for a reason to look again. A reason that comes during a look isn't
 * lost.
 */
export class Wait {
  #ended: WaitEnd | undefined;
  #mustLook = false;
  #wake = (): void => {};

  /** Why the wait is over; the first reason counts. */
  get ended(): WaitEnd | undefined {
    return this.#ended;
  }

  /** Makes the caller look again: the run may have changed. */
  look(): void {
    this.#mustLook = true;
    this.#wake();
  }

  end(why: WaitEnd): void {
    this.#ended ??= why;
    this.#wake();
  }

  /** Resolves when there is a reason to look again, or the wait is over. @returns why it is over */
  async next(): Promise<WaitEnd | undefined> {
    if (!this.#mustLook && !this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#mustLook = false;
    return this.#ended;
  }
}
