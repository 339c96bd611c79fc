import { HEADER, PREFIX } from "@perdure/core/protocol";
import type { Draft } from "./message.ts";
import type { OptionLimits, Options } from "./options.ts";
import { Problem, unsupported } from "./problem.ts";

/** @throws Problem 412 for a body that is too large, or a delivery that is too far away */
export function checkLimits(
  { notBefore, createdAt }: Pick<Draft, "notBefore" | "createdAt">,
  body: Uint8Array,
  limits: OptionLimits,
): void {
  const { messageBytes = Infinity, delay = Infinity } = limits;
  if (body.length > messageBytes) {
    throw new Problem(
      412,
      `the message's body has ${body.length} bytes, more than the ${messageBytes} that are allowed`,
    );
  }
  const wait = notBefore - createdAt;
  if (wait > delay) {
    throw new Problem(
      412,
      `${HEADER.delay} or ${HEADER.notBefore} ask for ${wait / 1000} s, more than the ${delay / 1000} s that are allowed`,
    );
  }
}

/**
 * What only a message that belongs to no run may ask for: a run's id does what deduplication would, and its end is
 * reported instead of its attempts.
 *
 * @throws Problem 400 that names the field
 */
export function refusePlainOptions(options: Options, owner: string = PREFIX.own): void {
  const field = (name: string): string =>
    `${owner}${name.slice(PREFIX.own.length)} for a message of a workflow run`;
  if (options.deduplication === "content") throw unsupported(field(HEADER.contentBasedDeduplication));
  if (options.deduplication) throw unsupported(field(HEADER.deduplicationId));
  if (options.callbackUrl !== undefined) throw unsupported(field(HEADER.callback));
}
