import { decodeCapabilities, type EndpointCapabilities, encodeCapabilities } from "@perdure/core/protocol";
import type { DeliveryPolicy } from "./delivery-policy.ts";
import { parseExpression } from "./expression.ts";
import type { Callback, Message, Purpose } from "./message.ts";

/** How a delivery is retried. The engine's defaults hold for an option that is `undefined`. */
export type RetryPolicy = Pick<DeliveryPolicy, "retries" | "retryDelay">;

/** A run, as far as it says how its deliveries are retried. */
export interface Retried {
  readonly config: RetryPolicy & { readonly failureCallback: Callback | undefined };
  readonly traits: string | undefined;
}

/** The options of a run's trigger come first, then those that its endpoint has sent with an answer. */
export function retryPolicy({ config, traits }: Retried, purpose: Purpose): RetryPolicy {
  const asked: Partial<EndpointCapabilities> = traits === undefined ? {} : decodeCapabilities(traits);
  const own = {
    retries: config.retries ?? asked.retries,
    retryDelay: config.retryDelay ?? asked.retryDelay,
  };
  if (purpose !== "failure") return own;
  const { retries, retryDelay } = config.failureCallback?.options ?? {};
  return {
    retries: retries ?? asked.failureRetries ?? own.retries,
    retryDelay: retryDelay ?? asked.failureRetryDelay ?? own.retryDelay,
  };
}

/** A message of a run whose endpoint has sent other traits than were known when the message was stored. */
export function withPolicy(message: Message, run: Retried): Message {
  const { retries, retryDelay } = retryPolicy(run, message.purpose);
  return {
    ...message,
    maxRetries: retries ?? message.maxRetries,
    retryDelay: retryDelay ?? message.retryDelay,
  };
}

/**
 * The traits that an endpoint has sent, as they are stored. An expression that can't be parsed is left out.
 *
 * @param mostRetries above which a number of retries is lowered
 */
export function boundTraits(header: string, mostRetries: number): string {
  const traits = decodeCapabilities(header);
  const capped = (count: number | undefined): number | undefined => count && Math.min(count, mostRetries);
  return encodeCapabilities({
    ...traits,
    retries: capped(traits.retries),
    retryDelay: parsed(traits.retryDelay),
    failureRetries: capped(traits.failureRetries),
    failureRetryDelay: parsed(traits.failureRetryDelay),
  });
}

function parsed(expression: string | undefined): string | undefined {
  try {
    if (expression !== undefined) parseExpression(expression);
    return expression;
  } catch {
    return undefined;
  }
}
