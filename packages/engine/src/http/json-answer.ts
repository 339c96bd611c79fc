import { createTimeSlices } from "../store/time-slices.ts";

/** The engine writes an answer with more characters than `LARGE` in slices of about `SLICE` characters. */
const LARGE = 256 * 1024;
const SLICE = 64 * 1024;

/**
 * Writes the body of an answer as JSON. It writes a large body in slices, and lets other requests run between
 * them.
 */
export function toJsonBody(value: unknown): string | ReadableStream<Uint8Array> {
  if (!isLongerThan(LARGE, value)) return JSON.stringify(value);
  const parts = write(value);
  const pause = createTimeSlices();
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        await pause();
        let text = "";
        while (text.length < SLICE) {
          const { done, value: part } = parts.next();
          if (done) {
            controller.enqueue(encoder.encode(text));
            controller.close();
            return;
          }
          text += part;
        }
        controller.enqueue(encoder.encode(text));
      },
    },
    { highWaterMark: 0 },
  );
}

/** Yields the JSON of a plain value in parts. Together they equal the result of `JSON.stringify`. */
function* write(value: unknown): Generator<string, void> {
  if (!isLongerThan(SLICE, value)) yield JSON.stringify(value);
  else if (typeof value === "string") yield* writeString(value);
  else if (Array.isArray(value))
    yield* writeList(
      "[]",
      value.map((item) => write(item ?? null)),
    );
  else {
    const fields = Object.entries(Object(value)).filter(([, field]) => field !== undefined);
    yield* writeList(
      "{}",
      fields.map(([name, field]) => writeField(name, field)),
    );
  }
}

function* writeField(name: string, value: unknown): Generator<string, void> {
  yield `${JSON.stringify(name)}:`;
  yield* write(value);
}

function* writeList(
  [open, close]: string,
  items: Iterable<Generator<string, void>>,
): Generator<string, void> {
  let before = open as string;
  for (const item of items) {
    yield before;
    yield* item;
    before = ",";
  }
  yield before === open ? `${open}${close}` : (close as string);
}

function* writeString(text: string): Generator<string, void> {
  yield '"';
  for (let at = 0; at < text.length; ) {
    let end = Math.min(at + SLICE, text.length);
    // Never cut a surrogate pair in half.
    if (end < text.length && /[\ud800-\udbff]/.test(text[end - 1] ?? "")) end++;
    yield JSON.stringify(text.slice(at, end)).slice(1, -1);
    at = end;
  }
  yield '"';
}

/**
 * True when the JSON of a value has roughly more than `most` characters. Stops as soon as the answer is
 * certain.
 */
function isLongerThan(most: number, value: unknown): boolean {
  let left = most;
  const count = (one: unknown): void => {
    left -= typeof one === "string" ? one.length + 2 : 8;
    if (left < 0 || typeof one !== "object" || one === null) return;
    for (const name of Object.keys(one)) {
      if (left < 0) return;
      left -= name.length + 3;
      count((one as Readonly<Record<string, unknown>>)[name]);
    }
  };
  count(value);
  return left < 0;
}
