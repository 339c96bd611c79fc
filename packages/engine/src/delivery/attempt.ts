import type { Attempt } from "../rules/answer.ts";
import type { Cancel, Clock } from "../rules/clock.ts";
import { reasonOf } from "../rules/thrown.ts";
import { DestinationRefused } from "./policy.ts";
import type { DeliveryRequest } from "./request.ts";
import { shortageOf } from "./shortage-backoff.ts";
import type { OutgoingRequest, Transport } from "./transport.ts";

/** The engine stopped before an answer came, or this machine lacks a resource: the attempt doesn't count. */
export interface Abandoned {
  readonly kind: "abandoned";
  /** The system's error code for the resource that this machine lacks, such as `EMFILE`. */
  readonly shortage?: string | undefined;
}

export interface AttemptOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Milliseconds. */
  readonly timeout: number;
  /** An answer with more bytes counts as no answer. Without this limit, the transport cuts a long answer. */
  readonly wholeBytes?: number | undefined;
  /** See {@link OutgoingRequest}. */
  readonly maxBytes?: number | undefined;
  /** See {@link OutgoingRequest}. */
  readonly hold?: OutgoingRequest["hold"];
  /** Ends the attempt: the engine aborts it when it no longer needs the answer, and the attempt does at its time limit. */
  readonly abort: AbortController;
  /** See {@link OutgoingRequest}. */
  readonly lookUp?: OutgoingRequest["lookUp"];
}

/** Sends one request and returns its outcome. Never rejects. */
export async function attempt(
  request: DeliveryRequest,
  options: AttemptOptions,
): Promise<Attempt | Abandoned> {
  const { transport, clock, timeout, wholeBytes, maxBytes = wholeBytes, hold, abort, lookUp } = options;
  const { signal } = abort;
  if (signal.aborted) return { kind: "abandoned" };
  let cancel: Cancel | undefined;
  // The race keeps a transport that ignores the signal from holding up the engine.
  const cut = new Promise<Attempt | Abandoned>((resolve) => {
    cancel = clock.after(timeout, () => {
      resolve({ kind: "unanswered", error: `no answer within ${timeout / 1000} s` });
      abort.abort();
    });
    signal.addEventListener("abort", () => resolve({ kind: "abandoned" }), { once: true });
  });
  const answer = transport.send({ ...request, maxBytes, hold, signal, lookUp }).then(
    (reply): Attempt =>
      reply.cut && wholeBytes !== undefined
        ? { kind: "unanswered", error: `the answer is larger than the ${wholeBytes} bytes that are kept` }
        : { kind: "answered", reply },
    (error): Attempt | Abandoned => {
      const shortage = shortageOf(error);
      if (shortage !== undefined) return { kind: "abandoned", shortage };
      return { kind: "unanswered", error: reasonOf(error), final: error instanceof DestinationRefused };
    },
  );
  try {
    return await Promise.race([answer, cut]);
  } finally {
    cancel?.();
  }
}
