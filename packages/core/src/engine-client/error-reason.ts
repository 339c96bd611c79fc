import { messageOf } from "../util/errors.ts";
import { parseLeniently } from "../util/json.ts";

/** Reasons by the error codes and messages of Node, Bun, Deno and Workers. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/refused/i, "connection refused"],
  [/ENOTFOUND|EAI_AGAIN|\bdns\b|FailedToOpenSocket/i, "no such host"],
  [/CERT|SSL|TLS|EPROTO|SIGNATURE/i, "TLS failed"],
  [/TIME_?D?_?OUT/i, "no answer in time"],
];

/** Returns the reason why a request got no answer. Platforms hide it in the causes of "fetch failed". */
export function unreachableReason(error: unknown): string {
  const { cause, code = "", errors: [first] = [] } = Object(error);
  if (cause || first) return unreachableReason(cause ?? first);
  const message = messageOf(error);
  const [, reason] = REASONS.find(([pattern]) => pattern.test(`${code} ${message}`)) ?? [];
  return [reason, message || code].filter(Boolean).join(": ");
}

const MAX_REASON_LENGTH = 500;

/** Returns the engine's message, without the JSON around it. */
export function refusalReason(refusal: unknown): string {
  const body = messageOf(refusal);
  const { error, message = error } = Object(parseLeniently(body));
  return (typeof message === "string" ? message : body).slice(0, MAX_REASON_LENGTH);
}
