import type { LocalRequest } from "@perdure/engine";
import { currentDelivery } from "./delivery.ts";

/** The status of a request of a client whose wait has failed: the client gives up. */
const GIVE_UP_STATUS = 400;

/**
 * Lets time pass for the clients that wait for the end of a run, as {@link Client.runs} and `trigger` with `wait` do. Clients
 * in steps don't need it: there the test waits itself.
 */
export class WaitingClients {
  readonly #untilOver: (runId: string) => Promise<void>;
  #failure: Error | undefined;

  /** @param untilOver lets time pass until a run has ended */
  constructor(untilOver: (runId: string) => Promise<void>) {
    this.#untilOver = untilOver;
  }

  /**
   * Called before each request of a client.
   *
   * @throws the error of a wait, also for the request with which the client looks at the run after it
   */
  async before({ path, query }: LocalRequest): Promise<void> {
    if (currentDelivery()) return;
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure;
    const [, area, , runId = ""] = path;
    if (area !== "workflows" || path.at(-1) !== "wait" || query.timeout === "0ms") return;
    try {
      await this.#untilOver(decodeURIComponent(runId));
    } catch (error) {
      const { message } = error as Error;
      this.#failure = Object.assign(new Error(message), { status: GIVE_UP_STATUS });
      throw error;
    }
  }
}
