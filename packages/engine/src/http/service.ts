import type { SigningKeys } from "../delivery/signer.ts";
import type { Clock } from "../domain/clock.ts";
import type { Observer } from "../domain/event.ts";
import type { Retention } from "../domain/retention.ts";
import type { Store } from "../store/store.ts";

/** What the API works with. */
export interface Service {
  readonly store: Store;
  readonly clock: Clock;
  readonly emit: Observer;
  readonly token: string;
  readonly keys: SigningKeys;
  /** Whether a proxy's word is taken for the address that a request was sent to. */
  readonly trustProxy: boolean;
  readonly retention: Pick<Retention, "messages">;
  readonly limits: {
    /** Bytes of a request. */
    readonly requestBytes: number;
    /** Retries that a message may ask for. */
    readonly retries: number;
  };
}

/** What is known of a request besides itself. */
export interface Bindings {
  /** The address it came from. */
  readonly callerIp?: string | undefined;
}

/** The environment of every handler. */
export interface Env {
  readonly Bindings: Bindings;
}
