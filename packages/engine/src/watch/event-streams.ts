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
 * Streams of changes as Server-Sent Events. The last changes are kept in memory: a reader that comes back goes
 * on without a gap, or is told by a `reset` event that it must read its lists again. A reader that is too slow
 * is told so as well: its memory is bounded.
 */
export class EventStreams {
  readonly #store: Pick<Store, "runFacts">;
  readonly #clock: Clock;
  /** Distinguishes the numbers of this process from those of another. */
  readonly #epoch = randomUUID().slice(0, 8);
  readonly #readers = new Set<Reader>();
  #kept: Numbered[] = [];
  #last = 0;
  #stopped = false;

  constructor(store: Pick<Store, "runFacts">, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  publish(change: Change): void {
    if (change.type === "shortage" || change.type === "fault") return;
    const numbered = { number: ++this.#last, at: this.#clock.now(), change };
    this.#kept.push(numbered);
    if (this.#kept.length >= 2 * KEPT) this.#kept = this.#kept.slice(-KEPT);
    for (const reader of this.#readers) reader.add(numbered);
  }

  /** @throws EngineError `unavailable` when there are too many readers, or the engine stops */
  open(filter: StreamFilter): ReadableStream<Uint8Array> {
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
    this.#resume(reader, filter.lastEventId);
    this.#readers.add(reader);
    return reader.stream;
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

/** One stream. It reads the properties of runs only when its filter needs them. */
class Reader {
  readonly stream: ReadableStream<Uint8Array>;
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
    const encoder = new TextEncoder();
    let opened = false;
    this.stream = new ReadableStream(
      {
        pull: async (controller) => {
          const text = opened ? await this.#next() : ": open\n\n";
          opened = true;
          if (text === undefined) {
            this.end();
            controller.close();
          } else controller.enqueue(encoder.encode(text));
        },
        cancel: () => this.end(),
      },
      { highWaterMark: 0 },
    );
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

  /** The next events as a string, or a heartbeat; undefined at the end of the stream. */
  async #next(): Promise<string | undefined> {
    for (;;) {
      if (this.#reset) {
        const data = JSON.stringify({ reason: this.#reset });
        this.#reset = undefined;
        return `event: reset\ndata: ${data}\n\n`;
      }
      const changes = this.#waiting;
      this.#waiting = [];
      const text = await this.#write(changes);
      if (text !== "") return text;
      if (this.#reset || this.#waiting.length > 0) continue;
      if (this.#ended) return undefined;
      if ((await this.#wait()) === "heartbeat") return ": ping\n\n";
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

  async #write(changes: readonly Numbered[]): Promise<string> {
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
    return chosen
      .filter(isChosen)
      .map(({ event, number, at, data }) => {
        const shown = { ...data, time: at, ...(hidesErrors ? { error: undefined } : {}) };
        return `id: ${this.#parts.epoch}.${number}\nevent: ${event}\ndata: ${JSON.stringify(shown)}\n\n`;
      })
      .join("");
  }
}
