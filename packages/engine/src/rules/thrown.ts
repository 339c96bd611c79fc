import { toErrorBody } from "@perdure/core/protocol";

/** Returns the message of any thrown value; for an `AggregateError`, the messages of its errors. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.errors.length > 0) {
    return [...new Set(thrown.errors.map(messageOf))].join("; ");
  }
  if (thrown instanceof Error) return thrown.message || thrown.name;
  return toErrorBody(thrown, false).message;
}

/** The words in a message of OpenSSL, between a thread's id, codes, and a file of its sources. */
const TLS_REASON = /SSL routines:[^:]*:([^:]+)/;

/** Returns why a request has got no answer, in one line. */
export function reasonOf(error: unknown): string {
  const message = messageOf(error).trim();
  const [, reason] = TLS_REASON.exec(message) ?? [];
  if (reason === undefined) return message;
  const hint = reason === "wrong version number" ? ": the server speaks no TLS, call it by http://" : "";
  return `TLS failed (${reason})${hint}`;
}
