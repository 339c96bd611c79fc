import { safely } from "../util/check.ts";

/** The delivery options that an endpoint sends to Perdure's engine for all runs of its workflow. A trigger's options win. */
export interface EndpointCapabilities {
  /** The engine calls the endpoint when a run is cancelled. */
  readonly onCancel: boolean;
  /** Seconds from a run's start; the engine fails a run that lasts longer. */
  readonly timeout?: number | undefined;
  /** Retries of each delivery, after the first attempt. */
  readonly retries?: number | undefined;
  /** The wait before a retry, as an expression over `retried` in milliseconds. */
  readonly retryDelay?: string | undefined;
  /** As `retries`, for the failure function. */
  readonly failureRetries?: number | undefined;
  /** As `retryDelay`, for the failure function. */
  readonly failureRetryDelay?: string | undefined;
}

type Encodable = { readonly [Name in keyof EndpointCapabilities]: EndpointCapabilities[Name] | string };

/**
 * Encodes the capabilities as the value of `HEADER.capabilities`.
 *
 * @example
 * ```ts
 * encodeCapabilities({ onCancel: true, retries: 5 }); // "1, on-cancel, retries=5"
 * ```
 */
export function encodeCapabilities({ onCancel, ...values }: Encodable): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  const pairs = given.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return ["1", onCancel ? "on-cancel" : [], pairs].flat().join(", ");
}

/**
 * Decodes the header that {@link encodeCapabilities} encodes. Ignores unknown names, because later versions may send more.
 *
 * @example
 * ```ts
 * const { onCancel, retries } = decodeCapabilities("1, on-cancel, retries=5");
 * ```
 */
export function decodeCapabilities(header: string): EndpointCapabilities {
  const parts = header.split(",").map((part) => part.trim());
  const values = new Map(parts.map((part) => [part.slice(0, part.indexOf("=")), part.replace(/^.*?=/, "")]));
  const timeout = Number(values.get("timeout"));
  return {
    onCancel: parts.includes("on-cancel"),
    timeout: timeout > 0 ? timeout : undefined,
    retries: toCount(values.get("retries")),
    retryDelay: decode(values.get("retryDelay")),
    failureRetries: toCount(values.get("failureRetries")),
    failureRetryDelay: decode(values.get("failureRetryDelay")),
  };
}

function toCount(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

function decode(value: string | undefined): string | undefined {
  // Another program may have written the header.
  return safely(() => value && decodeURIComponent(value));
}
