import type { StoreUnavailable } from "../unavailable.ts";
import type { PostgresSession } from "./session.ts";

/** Milliseconds for which a session rests that can't connect while others are connected: the first time, and at most. */
const REST_MS = { first: 100, longest: 5000 };

/** Called once when all sessions have been asked for, and some are refused again: so many of so many are connected, and why. */
export type OnFewer = (connected: number, wanted: number, error: Error) => void;

/**
 * The sessions of a driver: which of them are free, are connected, or rest because the server has refused them while it grants
 * others.
 */
export class SessionPool {
  readonly all: readonly PostgresSession[];
  readonly #onFewer: OnFewer;
  readonly #busy = new Set<PostgresSession>();
  /** The losses of each session when it connected last: without a further one it is connected. */
  readonly #connectedAt = new Map<PostgresSession, number>();
  /** The last rest of each session that couldn't connect since. */
  readonly #rests = new Map<PostgresSession, { readonly ms: number; readonly until: number }>();
  #toldOfFewer = false;

  constructor(all: readonly PostgresSession[], onFewer: OnFewer = () => {}) {
    this.all = all;
    this.#onFewer = onFewer;
  }

  /** The sessions that are connected. */
  get connected(): readonly PostgresSession[] {
    return this.all.filter((session) => this.#isConnected(session));
  }

  /** Whether none of them works. */
  get isIdle(): boolean {
    return this.#busy.size === 0;
  }

  /**
   * Returns the sessions for some work that don't rest. When all of them do, others that are connected take it.
   *
   * @param most how many others at most
   */
  usable(own: readonly PostgresSession[], most = this.all.length): readonly PostgresSession[] {
    const { connected } = this;
    if (connected.length === 0) return own;
    const now = performance.now();
    const awake = own.filter(
      (session) => this.#isConnected(session) || now >= (this.#rests.get(session)?.until ?? 0),
    );
    return awake.length > 0 ? awake : connected.slice(-most);
  }

  /** Returns those that are free, first those that are connected. */
  free(sessions: readonly PostgresSession[]): PostgresSession[] {
    const free = sessions.filter((session) => !this.#busy.has(session));
    return free.sort((one, other) => Number(this.#isConnected(other)) - Number(this.#isConnected(one)));
  }

  occupy(session: PostgresSession): void {
    this.#busy.add(session);
  }

  release(session: PostgresSession): void {
    this.#busy.delete(session);
  }

  /** Connects a session. @throws StoreUnavailable when the server can't be reached, or refuses it */
  async connect(session: PostgresSession): Promise<void> {
    await session.connect();
    this.#connectedAt.set(session, session.losses);
    this.#rests.delete(session);
  }

  /** Lets a session rest that the server has refused, for longer each time. */
  rest(session: PostgresSession, error: StoreUnavailable): void {
    const last = this.#rests.get(session)?.ms;
    const ms = last === undefined ? REST_MS.first : Math.min(2 * last, REST_MS.longest);
    this.#rests.set(session, { ms, until: performance.now() + ms * (0.5 + Math.random()) });
    // The first refusal may come while a server still ends connections that were lost, and others may still connect.
    const isKnown = this.all.every((one) => this.#isConnected(one) || this.#rests.has(one));
    if (last === undefined || !isKnown || this.#toldOfFewer) return;
    this.#toldOfFewer = true;
    this.#onFewer(this.connected.length, this.all.length, error);
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((session) => session.close()));
  }

  #isConnected(session: PostgresSession): boolean {
    return this.#connectedAt.get(session) === session.losses;
  }
}
