import { randomUUID } from "node:crypto";
import type { Store } from "../commands/store.ts";
import type { RunFacts } from "../queries/run-facts.ts";
import type { Clock } from "../rules/clock.ts";
import { EngineError } from "../rules/engine-error.ts";
import { type Change, type StreamEvent, toStreamEvents } from "./stream-events.ts";

/** The events that a reader asks for. A list matches with any one of its values. */
export interface StreamFilter {
  readonly events?: readonly StreamEvent["event"][] | undefined;
  readonly runIds?: readonly string[] | undefined;
  readonly urls?: readonly string[] | undefined;
  readonly labels?: readonly string[] | undefined;
  /** The id of the last event that the reader has received. */
  readonly lastEventId?: string | undefined;
  /** Milliseconds after which the stream ends. No limit by default. */
  readonly ms?: number | undefined;
  /** Leaves out the texts of errors. */
  readonly hidesErrors?: boolean | undefined;
}

/** An event as a reader gets it. */
export interface LiveEvent {
  /** For {@link StreamFilter.lastEventId}. `reset` has none. */
  readonly id?: string;
  /** `reset` says that events are missing. */
  readonly event: StreamEvent["event"] | "reset";
  readonly data: Readonly<Record<string, unknown>>;
}

/** A change with its number and its time. */
interface Numbered {
  readonly number: number;
  readonly at: number;
  readonly change: Change;
}

/** Changes that the engine keeps for readers that come back. */
const KEPT = 2000;
/** Changes that wait for one reader at most: more than the engine keeps. */
const MAX_WAITING = 5000;
const MAX_READERS = 200;
const HEARTBEAT_MS = 15_000;
const RETRY_AFTER_S = 2;

/**
 * Streams of changes as Server-Sent Events. From the first reader on, the last changes are kept in memory: a reader that
 * comes back goes on without a gap, or gets a `reset` event, after which it must read its lists again. So does a reader that
 * is too slow: its memory is bounded.
 */
export class EventStreams {
  readonly #store: Pick<Store, "runFacts">;
  readonly #clock: Clock;
  /** Distinguishes the numbers of this process from those of another. */
  readonly #epoch = randomUUID().slice(0, 8);
  readonly #readers = new Set<Reader>();
  #kept: Numbered[] = [];
  #last = 0;
  /** Whether there has been a reader: only a reader can come back. */
  #hasReaders = false;
  #stopped = false;

  constructor(store: Pick<Store, "runFacts">, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  publish(change: Change): void {
    if (!this.#hasReaders || change.type === "shortage" || change.type === "fault") return;
    const numbered = { number: ++this.#last, at: this.#clock.now(), change };
    this.#kept.push(numbered);
    if (this.#kept.length >= 2 * KEPT) this.#kept = this.#kept.slice(-KEPT);
    for (const reader of this.#readers) reader.add(numbered);
  }

  /**
   * Opens a stream of Server-Sent Events.
   *
   * @throws EngineError `unavailable` when there are too many readers, or the engine stops
   */
  open(filter: StreamFilter): ReadableStream<Uint8Array> {
    return toServerSentEvents(this.#read(filter));
  }

  /**
   * Opens a stream of events for a caller in this process. It ends when the signal aborts, the engine stops, or the caller
   * leaves its loop.
   *
   * @throws EngineError `unavailable` when there are too many readers, or the engine stops
   */
  events(filter: StreamFilter, signal?: AbortSignal): AsyncGenerator<LiveEvent, void> {
    const reader = this.#read(filter);
    const end = (): void => reader.end();
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
    return eventsOf(reader, () => signal?.removeEventListener("abort", end));
  }

  #read(filter: StreamFilter): Reader {
    if (this.#stopped)
      throw new EngineError("unavailable", "the engine stops", { retryAfter: RETRY_AFTER_S });
    if (this.#readers.size >= MAX_READERS) {
      const message = `${MAX_READERS} streams are open already, the most that the engine allows`;
      throw new EngineError("unavailable", message, { limit: MAX_READERS, retryAfter: RETRY_AFTER_S });
    }
    const reader = new Reader(filter, {
      epoch: this.#epoch,
      clock: this.#clock,
      factsOf: (ids) => this.#store.runFacts(ids),
      onEnd: () => this.#readers.delete(reader),
    });
    this.#hasReaders = true;
    this.#resume(reader, filter.lastEventId);
    this.#readers.add(reader);
    return reader;
  }

  /** Lets streams be opened again after {@link stop}. */
  start(): void {
    this.#stopped = false;
  }

  /** Ends all streams, and lets no other begin. */
  stop(): void {
    this.#stopped = true;
    for (const reader of this.#readers) reader.end();
  }

  #resume(reader: Reader, lastEventId: string | undefined): void {
    if (lastEventId === undefined || lastEventId === "") return;
    const [, epoch, number] = /^([0-9a-f]{8})\.(\d{1,15})$/.exec(lastEventId) ?? [];
    const last = Number(number);
    const first = this.#kept[0]?.number ?? this.#last + 1;
    if (epoch !== this.#epoch || last > this.#last || last < first - 1) {
      reader.reset("gap");
      return;
    }
    for (const one of this.#kept) if (one.number > last) reader.add(one);
  }
}

interface ReaderParts {
  readonly epoch: string;
  readonly clock: Clock;
  readonly factsOf: (ids: readonly string[]) => Promise<ReadonlyMap<string, RunFacts>>;
  readonly onEnd: () => void;
}

/** Writes the events of a reader as Server-Sent Events, with comments that keep the connection open. */
function toServerSentEvents(reader: Reader): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let opened = false;
  return new ReadableStream(
    {
      async pull(controller) {
        const events = opened ? await reader.next() : undefined;
        if (opened && events === undefined) {
          reader.end();
          controller.close();
          return;
        }
        const text = opened ? events?.map(toText).join("") || ": ping\n\n" : ": open\n\n";
        opened = true;
        controller.enqueue(encoder.encode(text));
      },
      cancel: () => reader.end(),
    },
    { highWaterMark: 0 },
  );
}

function toText({ id, event, data }: LiveEvent): string {
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

async function* eventsOf(reader: Reader, onEnd: () => void): AsyncGenerator<LiveEvent, void> {
  try {
    for (let events = await reader.next(); events; events = await reader.next()) yield* events;
  } finally {
    onEnd();
    reader.end();
  }
}

/** One stream. It reads the properties of runs only when its filter needs them. */
class Reader {
  readonly #filter: StreamFilter;
  readonly #parts: ReaderParts;
  #waiting: Numbered[] = [];
  #reset: "gap" | "slow" | undefined;
  #ended = false;
  #wake = (): void => {};
  readonly #cancelEnd: (() => void) | undefined;

  constructor(filter: StreamFilter, parts: ReaderParts) {
    this.#filter = filter;
    this.#parts = parts;
    this.#cancelEnd = filter.ms === undefined ? undefined : parts.clock.after(filter.ms, () => this.end());
    if (filter.ms === 0) this.#ended = true;
  }

  add(change: Numbered): void {
    if (this.#waiting.length >= MAX_WAITING) this.reset("slow");
    this.#waiting.push(change);
    this.#wake();
  }

  /** Tells the reader that events are missing. */
  reset(reason: "gap" | "slow"): void {
    this.#waiting = [];
    this.#reset = reason;
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#cancelEnd?.();
    this.#parts.onEnd();
    this.#wake();
  }

  /** The next events; none after a while without one, and undefined at the end of the stream. */
  async next(): Promise<readonly LiveEvent[] | undefined> {
    for (;;) {
      if (this.#reset) {
        const data = { reason: this.#reset };
        this.#reset = undefined;
        return [{ event: "reset", data }];
      }
      const changes = this.#waiting;
      this.#waiting = [];
      const events = await this.#choose(changes);
      if (events.length > 0) return events;
      if (this.#reset || this.#waiting.length > 0) continue;
      if (this.#ended) return undefined;
      if ((await this.#wait()) === "heartbeat") return [];
    }
  }

  async #wait(): Promise<"woken" | "heartbeat"> {
    let cancel = (): void => {};
    const result = await new Promise<"woken" | "heartbeat">((resolve) => {
      this.#wake = () => resolve("woken");
      cancel = this.#parts.clock.after(HEARTBEAT_MS, () => resolve("heartbeat"));
    });
    this.#wake = () => {};
    cancel();
    return result;
  }

  async #choose(changes: readonly Numbered[]): Promise<LiveEvent[]> {
    const events = changes.flatMap(({ number, at, change }) =>
      toStreamEvents(change).map((event) => ({ ...event, number, at })),
    );
    const { events: kinds, runIds, urls, labels, hidesErrors } = this.#filter;
    const chosen = events.filter(
      ({ event, runId }) =>
        (!kinds || kinds.includes(event)) && (!runIds || (runId !== undefined && runIds.includes(runId))),
    );
    const facts =
      (urls || labels) && chosen.length > 0
        ? await this.#parts.factsOf([...new Set(chosen.flatMap(({ runId }) => runId ?? []))])
        : undefined;
    const isChosen = ({ runId }: StreamEvent): boolean => {
      if (!urls && !labels) return true;
      const found = runId === undefined ? undefined : facts?.get(runId);
      if (!found) return false;
      return (
        (!urls || urls.includes(found.url)) && (!labels || found.labels.some((one) => labels.includes(one)))
      );
    };
    return chosen.filter(isChosen).map(({ event, number, at, data }) => ({
      id: `${this.#parts.epoch}.${number}`,
      event,
      data: { ...data, time: at, ...(hidesErrors ? { error: undefined } : {}) },
    }));
  }
}
