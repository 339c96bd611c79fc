import type { HistoryEntry } from "@perdure/core/protocol";
import type { MemoryReservation } from "../delivery/memory-budget.ts";
import { toBase64 } from "../rules/bytes.ts";
import type { HistorySlice, LargeEntry } from "../store/tables/entries.ts";
import type { Service } from "./service.ts";

const JSON_TYPE = { "Content-Type": "application/json" };

/** Bytes of a body that become base64 at once. Three bytes become four characters. */
const SLICE = 3 * 64 * 1024;

/** Milliseconds after which a client that reads nothing no longer keeps a large body in memory. */
const STALLED_MS = 5000;

/** What the answer with a history needs of the engine. */
type Reading = Pick<Service, "store" | "clock" | "histories">;

/**
 * Answers with a history, which may be larger than the engine's memory: reads it from the store in slices, as fast as
 * the client takes them. Large bodies are read one at a time, and wait for room in the memory for all of them.
 */
export function historyAnswer(start: HistorySlice, reading: Reading): Response {
  if (!start.large && !start.next)
    return new Response(`[${start.entries.map(toJson).join()}]`, { headers: JSON_TYPE });
  const parts = writeHistory(start, reading, reading.histories.reserve());
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await parts.next();
        if (done) controller.close();
        else controller.enqueue(encoder.encode(value));
      },
      async cancel() {
        await parts.return();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: JSON_TYPE });
}

async function* writeHistory(
  start: HistorySlice,
  reading: Reading,
  memory: MemoryReservation,
): AsyncGenerator<string, void, void> {
  let before = "[";
  try {
    for (let slice: HistorySlice | undefined = start; slice; slice = await follow(slice, reading)) {
      const { entries, large } = slice;
      if (entries.length > 0) yield before + entries.map(toJson).join();
      if (entries.length > 0) before = ",";
      if (!large) continue;
      yield before;
      before = ",";
      yield* writeLarge(large, reading, memory);
    }
    yield "]";
  } finally {
    memory.release();
  }
}

async function follow({ next }: HistorySlice, { store }: Reading): Promise<HistorySlice | undefined> {
  return next && (await store.historySlice(next));
}

async function* writeLarge(
  entry: LargeEntry,
  { store, clock }: Reading,
  memory: MemoryReservation,
): AsyncGenerator<string, void> {
  const { messageId, callType, size } = entry;
  const [open, close] = toJson({ messageId, callType, body: "|" }).split("|") as [string, string];
  yield open;
  let body: Uint8Array | undefined;
  const drop = (): void => {
    body = undefined;
    memory.release();
  };
  for (let at = 0; at < size; at += SLICE) {
    body ??= await load(entry, store, memory);
    const text = toBase64(body.subarray(at, at + SLICE));
    const cancel = clock.after(STALLED_MS, drop);
    try {
      yield text;
    } finally {
      cancel();
    }
  }
  drop();
  yield close;
}

async function load(
  entry: LargeEntry,
  store: Reading["store"],
  memory: MemoryReservation,
): Promise<Uint8Array> {
  await memory.take(entry.size);
  const body = await store.entryBody(entry);
  // The client must not take the first part of a history for the whole.
  if (!body) throw new Error("The run was deleted while its history was read.");
  return body;
}

/** Ids and base64 need no escaping. */
function toJson({ messageId, callType, body }: HistoryEntry): string {
  return `{"messageId":"${messageId}","callType":"${callType}","body":"${body}"}`;
}
