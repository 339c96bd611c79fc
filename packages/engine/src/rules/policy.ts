import { decodeCapabilities, type EndpointCapabilities, encodeCapabilities } from "@perdure/core/protocol";
import type { DeliveryPolicy } from "./delivery-policy.ts";
import { parseExpression } from "./expression.ts";
import type { Callback, Message, MessageKind } from "./message.ts";

/** The retry policy of a delivery. The engine's defaults apply to an option that is `undefined`. */
export type RetryPolicy = Pick<DeliveryPolicy, "retries" | "retryDelay">;

/** The part of a run that decides how the engine retries its deliveries. */
export interface PolicySource {
  readonly config: RetryPolicy & { readonly failureCallback: Callback | undefined };
  readonly capabilities: string | undefined;
}

/** The options of a run's trigger come first, then those that its endpoint has sent with an answer. */
export function retryPolicy({ config, capabilities }: PolicySource, kind: MessageKind): RetryPolicy {
  const asked: Partial<EndpointCapabilities> =
    capabilities === undefined ? {} : decodeCapabilities(capabilities);
  const own = {
    retries: config.retries ?? asked.retries,
    retryDelay: config.retryDelay ?? asked.retryDelay,
  };
  if (kind !== "failure") return own;
  const { retries, retryDelay } = config.failureCallback?.options ?? {};
  return {
    retries: retries ?? asked.failureRetries ?? own.retries,
    retryDelay: retryDelay ?? asked.failureRetryDelay ?? own.retryDelay,
  };
}

/**
 * Updates the policy of a message if the run's endpoint has sent new capabilities since the engine stored it.
 */
export function withPolicy(message: Message, run: PolicySource): Message {
  const { retries, retryDelay } = retryPolicy(run, message.kind);
  return {
    ...message,
    maxRetries: retries ?? message.maxRetries,
    retryDelay: retryDelay ?? message.retryDelay,
  };
}

/**
 * The capabilities that an endpoint has sent, as they are stored. An expression that can't be parsed is left
 * out.
 *
 * @param mostRetries above which a number of retries is lowered
 */
export function boundCapabilities(header: string, mostRetries: number): string {
  const capabilities = decodeCapabilities(header);
  const capped = (count: number | undefined): number | undefined => count && Math.min(count, mostRetries);
  return encodeCapabilities({
    ...capabilities,
    retries: capped(capabilities.retries),
    retryDelay: parsed(capabilities.retryDelay),
    failureRetries: capped(capabilities.failureRetries),
    failureRetryDelay: parsed(capabilities.failureRetryDelay),
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
