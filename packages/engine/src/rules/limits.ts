import { HEADER, PREFIX } from "@perdure/core/protocol";
import { overLimit, unsupported } from "./engine-error.ts";
import type { PublishRequest } from "./new-message.ts";
import type { OptionLimits, Options } from "./options.ts";

/** @throws EngineError `limit_reached` for a body that is too large, or a delivery too far in the future */
export function checkLimits(
  options: Options,
  { body, now }: Pick<PublishRequest, "body" | "now">,
  limits: OptionLimits,
): void {
  const { messageBytes = Infinity } = limits;
  if (body.length > messageBytes) {
    throw overLimit("body", body.length, messageBytes, " bytes");
  }
  checkDelays(options, now, limits);
}

/**
 * Checks the delays of reports, too, and of reports of reports.
 *
 * @throws EngineError `limit_reached` that names the field, for a delivery too far in the future
 */
export function checkDelays(
  options: Options,
  now: number,
  limits: OptionLimits,
  owner: string = PREFIX.own,
): void {
  const { delay: most = Infinity } = limits;
  const { delay = 0, notBefore, callback, failure } = options;
  const field = (name: string): string => owner + name.slice(PREFIX.own.length);
  const wait = notBefore === undefined ? delay : notBefore - now;
  if (wait > most) {
    const name = field(notBefore === undefined ? HEADER.delay : HEADER.notBefore);
    throw overLimit(name, wait / 1000, most / 1000, " s");
  }
  if (callback) checkDelays(callback, now, limits, field(PREFIX.callback));
  if (failure) checkDelays(failure, now, limits, field(PREFIX.failureCallback));
}

/**
 * Refuses options that only a message without a run may have: a run's id replaces deduplication, and the
 * engine reports a run's end instead of its attempts.
 *
 * @throws EngineError `invalid_request` that names the field
 */
export function refusePlainOptions(options: Options, owner: string = PREFIX.own): void {
  const field = (name: string): string =>
    `${owner}${name.slice(PREFIX.own.length)} for a message of a workflow run`;
  if (options.deduplication === "content") throw unsupported(field(HEADER.contentBasedDeduplication));
  if (options.deduplication) throw unsupported(field(HEADER.deduplicationId));
  if (options.callbackUrl !== undefined) throw unsupported(field(HEADER.callback));
}
