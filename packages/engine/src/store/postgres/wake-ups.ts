import { randomUUID } from "node:crypto";
import { ClientSession } from "./client.ts";
import type { Commit, PostgresDriver } from "./driver.ts";
import type { PostgresLocation } from "./location.ts";
import type { PostgresSession } from "./session.ts";

/** The channel of all notifications, with the schema whose tables they concern. */
const CHANNEL = "perdure";

/** Milliseconds between two notifications: one statement tells of all commits in this time. */
const COLLECT_MS = 10;

/** Milliseconds between looks at the database without a notification: while notifications arrive, and while they don't. */
const POLL_MS = { heard: 5000, unheard: 500 };

/** Milliseconds between heartbeats over the channel. A listener that hears nothing for two of them connects again. */
const HEARTBEAT_MS = 5000;

/** Bytes of a notification: PostgreSQL allows less than 8000. */
const MAX_PAYLOAD = 7500;

/** A notification to all engines. */
interface Payload extends News {
  readonly from: string;
  /** The schema of the sender. */
  readonly schema: string;
}

interface News {
  readonly dueAt?: number | undefined;
  /** The ids of runs that have changed. */
  readonly runs?: readonly string[] | undefined;
}

/** The objects that {@link WakeUps} uses. */
export interface WakeUpsOptions {
  readonly location: PostgresLocation;
  /** The schema of the engine's tables. */
  readonly schema: string;
  /** Sends notifications, in transactions of their own. */
  readonly driver: PostgresDriver;
  readonly now: () => number;
  /** Called when a message may be due that another engine has stored. */
  readonly onDue: (dueAt: number) => void;
  /** Called with the ids of runs that another engine has changed. */
  readonly onRuns: (runIds: readonly string[]) => void;
}

/**
 * Tells the other engines of messages that come due and of runs that change, and hears of theirs.
 *
 * A notification is a hint: losing one costs time only. It has a transaction of its own, because PostgreSQL commits
 * transactions with notifications one after the other. At most one goes out in ten milliseconds, and none from an engine that
 * hears itself and no other: an engine says hello when it begins to listen, and the others answer.
 */
export class WakeUps {
  readonly #options: WakeUpsOptions;
  readonly #from = randomUUID();
  readonly #runs = new Set<string>();
  #dueAt: number | undefined;
  #collecting: ReturnType<typeof setTimeout> | undefined;
  #flushedAt = Number.NEGATIVE_INFINITY;
  #listener: PostgresSession | undefined;
  #poll: ReturnType<typeof setTimeout> | undefined;
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #heardAt = Number.NEGATIVE_INFINITY;
  /** When each of the other engines was heard last, in milliseconds of `performance.now()`. */
  readonly #others = new Map<string, number>();
  #stopped = false;

  constructor(options: WakeUpsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#pollLater();
    // Through a pooler nothing can be heard for sure.
    if (this.#options.location.pooled) return;
    void this.#listen();
    this.#heartbeat = setInterval(() => {
      if (!this.#hears) void this.#listen();
      void this.#send({});
    }, HEARTBEAT_MS).unref();
  }

  /** Tells the others of a commit, soon. */
  announce({ dueAt, events }: Commit): void {
    if (this.#isAlone) return;
    for (const event of events) {
      if ("runId" in event && event.runId !== undefined) this.#runs.add(event.runId);
    }
    // The others look by themselves before a later time.
    const soon = dueAt !== undefined && dueAt <= this.#options.now() + POLL_MS.heard;
    if (soon) this.#dueAt = Math.min(this.#dueAt ?? dueAt, dueAt);
    if (this.#dueAt === undefined && this.#runs.size === 0) return;
    // The first commit after a pause is told at once.
    const ms = this.#flushedAt + COLLECT_MS - performance.now();
    if (this.#collecting === undefined && ms <= 0) void this.#flush();
    else this.#collecting ??= setTimeout(() => void this.#flush(), ms);
  }

  /** Hears nothing more, and still tells the others. */
  async stopListening(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#poll);
    clearInterval(this.#heartbeat);
    await this.#listener?.close();
  }

  /** Tells the others of the last commits now. */
  async flush(): Promise<void> {
    clearTimeout(this.#collecting);
    if (this.#dueAt !== undefined || this.#runs.size > 0) await this.#flush();
  }

  get #hears(): boolean {
    return performance.now() - this.#heardAt < 2 * HEARTBEAT_MS;
  }

  /** Whether this engine would have heard of any other one. */
  get #isAlone(): boolean {
    const now = performance.now();
    for (const [from, at] of this.#others) if (now - at > 2 * HEARTBEAT_MS) this.#others.delete(from);
    return this.#hears && this.#others.size === 0;
  }

  async #flush(): Promise<void> {
    this.#collecting = undefined;
    this.#flushedAt = performance.now();
    const [dueAt, runs] = [this.#dueAt, [...this.#runs]];
    this.#dueAt = undefined;
    this.#runs.clear();
    const sent = slice(runs).map((some, at) =>
      this.#send({ dueAt: at === 0 ? dueAt : undefined, runs: some }),
    );
    await Promise.all(sent);
  }

  async #send(news: News): Promise<void> {
    const payload: Payload = { from: this.#from, schema: this.#options.schema, ...news };
    try {
      await this.#options.driver.notify(CHANNEL, JSON.stringify(payload));
    } catch {
      // The database is away. The others look by themselves.
    }
  }

  /** Listens on a new connection, in place of one that is silent. */
  async #listen(): Promise<void> {
    void this.#listener?.close();
    const listener = new ClientSession(this.#options.location, {
      name: "perdure listen",
      onNotify: (payload) => this.#hear(payload),
    });
    this.#listener = listener;
    try {
      await listener.query(`LISTEN ${CHANNEL}`, []);
    } catch {
      // The next heartbeat tries again.
      return;
    }
    if (this.#stopped) return;
    this.#heardAt = performance.now();
    void this.#send({});
    // This connection has missed the notifications that were sent before it listened.
    this.#options.onDue(this.#options.now());
  }

  #hear(text: string): void {
    const payload = JSON.parse(text) as Payload;
    if (this.#stopped || payload.schema !== this.#options.schema) return;
    this.#heardAt = performance.now();
    if (payload.from === this.#from) return;
    const isNew = !this.#others.has(payload.from);
    this.#others.set(payload.from, this.#heardAt);
    if (isNew) void this.#send({});
    if (payload.runs && payload.runs.length > 0) this.#options.onRuns(payload.runs);
    if (payload.dueAt !== undefined) this.#options.onDue(payload.dueAt);
  }

  /** Looks at the database now and then, with jitter, so that engines don't look together. */
  #pollLater(): void {
    const ms = this.#hears ? POLL_MS.heard : POLL_MS.unheard;
    this.#poll = setTimeout(
      () => {
        this.#options.onDue(this.#options.now());
        this.#pollLater();
      },
      ms * (0.75 + Math.random() / 2),
    ).unref();
  }
}

/** Cuts ids into slices that fit into a notification each; at least one slice. */
function slice(ids: readonly string[]): string[][] {
  const slices: string[][] = [[]];
  let bytes = 0;
  for (const id of ids) {
    const size = Buffer.byteLength(JSON.stringify(id)) + 1;
    // An id that long has no place in a notification: who waits for its run looks by itself.
    if (size > MAX_PAYLOAD / 2) continue;
    if (bytes + size > MAX_PAYLOAD) {
      slices.push([]);
      bytes = 0;
    }
    slices.at(-1)?.push(id);
    bytes += size;
  }
  return slices;
}
