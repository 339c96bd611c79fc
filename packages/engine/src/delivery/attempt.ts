import type { Attempt } from "../rules/answer.ts";
import type { Cancel, Clock } from "../rules/clock.ts";
import { messageOf } from "../rules/thrown.ts";
import { DestinationRefused } from "./policy.ts";
import type { DeliveryRequest } from "./request.ts";
import { shortageOf } from "./shortage-backoff.ts";
import type { OutgoingRequest, Transport } from "./transport.ts";

/** The engine was stopped before an answer came, or this machine lacks something: the attempt counts as not made. */
export interface Abandoned {
  readonly kind: "abandoned";
  /** The system's code for what this machine lacks. */
  readonly shortage?: string | undefined;
}

export interface AttemptOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Milliseconds. */
  readonly timeout: number;
  /** Bytes of the answer above which it is none; otherwise it is cut where the transport cuts. */
  readonly wholeBytes?: number | undefined;
  /** As of {@link OutgoingRequest}. */
  readonly maxBytes?: number | undefined;
  /** As of {@link OutgoingRequest}. */
  readonly hold?: OutgoingRequest["hold"];
  /** Aborted when the engine stops at once. */
  readonly stop: AbortSignal;
  /** As of {@link OutgoingRequest}. */
  readonly lookUp?: OutgoingRequest["lookUp"];
}

/** Sends one request, and says what came of it. Never rejects. */
export async function attempt(
  request: DeliveryRequest,
  options: AttemptOptions,
): Promise<Attempt | Abandoned> {
  const { transport, clock, timeout, wholeBytes, maxBytes = wholeBytes, hold, stop, lookUp } = options;
  if (stop.aborted) return { kind: "abandoned" };
  const abort = new AbortController();
  let cancel: Cancel | undefined;
  let onStop: (() => void) | undefined;
  // Raced, so that not even a transport that doesn't heed the signal holds up the engine.
  const cut = new Promise<Attempt | Abandoned>((resolve) => {
    cancel = clock.after(timeout, () => {
      resolve({ kind: "unanswered", error: `no answer within ${timeout / 1000} s` });
      abort.abort();
    });
    onStop = () => {
      resolve({ kind: "abandoned" });
      abort.abort();
    };
    stop.addEventListener("abort", onStop, { once: true });
  });
  const answer = transport.send({ ...request, maxBytes, hold, signal: abort.signal, lookUp }).then(
    (reply): Attempt =>
      reply.cut && wholeBytes !== undefined
        ? { kind: "unanswered", error: `the answer is larger than the ${wholeBytes} bytes that are kept` }
        : { kind: "answered", reply },
    (error): Attempt | Abandoned => {
      const shortage = shortageOf(error);
      if (shortage !== undefined) return { kind: "abandoned", shortage };
      return { kind: "unanswered", error: messageOf(error), final: error instanceof DestinationRefused };
    },
  );
  try {
    return await Promise.race([answer, cut]);
  } finally {
    cancel?.();
    if (onStop) stop.removeEventListener("abort", onStop);
  }
}
