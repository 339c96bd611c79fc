import { effect, signal } from "@preact/signals";
import { send } from "./http.ts";
import { isAccess, session } from "./session.ts";

/** How the page hears of changes: by the engine's stream, not while it is hidden, or not now. */
export const liveState = signal<"live" | "paused" | "connecting">("connecting");

/** A page that is busy loading lists would slow the engine down: it loads them this often at most. */
const MIN_INTERVAL_MS = 1500;
const RECONNECT_MS = 2000;

/** The events that a part of the page shows. */
export interface Interest {
  /** `run`, `message`, `dlq`, `queue`, `flow` or `schedule`. */
  readonly names: readonly string[];
  /** Only events of this run. */
  readonly runId?: string | undefined;
  /** Milliseconds between two loads at least. */
  readonly interval?: number | undefined;
}

interface Listener {
  readonly interest: Interest;
  readonly call: () => void;
  lastCall: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

const listeners = new Set<Listener>();
let connection: AbortController | undefined;

/** Calls `call` after such events, not more often than every {@link MIN_INTERVAL_MS} or the interest's interval. */
export function onChange(interest: Interest, call: () => void): () => void {
  const listener: Listener = { interest, call, lastCall: Date.now(), timer: undefined };
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    clearTimeout(listener.timer);
  };
}

/** @param data the event's JSON, which names the run that it belongs to */
function changed(name: string, data = ""): void {
  for (const listener of listeners) {
    const { names, runId, interval = MIN_INTERVAL_MS } = listener.interest;
    if (name !== "reset" && !names.includes(name)) continue;
    if (name !== "reset" && runId !== undefined && !data.includes(JSON.stringify(runId))) continue;
    listener.timer ??= setTimeout(
      () => {
        listener.timer = undefined;
        listener.lastCall = Date.now();
        if (!document.hidden) listener.call();
      },
      Math.max(50, listener.lastCall + interval - Date.now()),
    );
  }
}

function connect(): void {
  connection?.abort();
  if (document.hidden) {
    liveState.value = "paused";
    return;
  }
  const abort = new AbortController();
  connection = abort;
  liveState.value = "connecting";
  read(abort.signal)
    .catch(() => {})
    .finally(() => {
      if (abort.signal.aborted) return;
      liveState.value = "connecting";
      setTimeout(() => {
        if (connection !== abort) return;
        connect();
        // While the stream was away, everything may have changed.
        changed("reset");
      }, RECONNECT_MS);
    });
}

/** Reads the stream until it ends. */
async function read(signal: AbortSignal): Promise<void> {
  const headers = { Accept: "text/event-stream" };
  const { body } = await send("/api/v2/workflows/stream", { headers, signal });
  if (!body) return;
  liveState.value = "live";
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value = "" } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop() ?? "";
    for (const event of events) {
      const [, name] = /^event: ?(.*)$/m.exec(event) ?? [];
      const [, data] = /^data: ?(.*)$/m.exec(event) ?? [];
      if (name !== undefined) changed(name, data);
    }
  }
}

document.addEventListener("visibilitychange", () => {
  if (!isAccess(session.value)) return;
  connect();
  if (!document.hidden) changed("reset");
});

effect(() => {
  if (isAccess(session.value)) connect();
  else connection?.abort();
});
