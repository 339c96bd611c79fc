/** The endpoint's requests to our engine for all runs of its workflow. The options of a run's trigger win over them. */
export interface EndpointCapabilities {
  /** The endpoint is called when a run is cancelled. */
  readonly onCancel: boolean;
  /** Seconds after its start at which a run that hasn't ended has failed. */
  readonly timeout?: number | undefined;
  /** Retries of each delivery, after the first attempt. */
  readonly retries?: number | undefined;
  /** Milliseconds before a retry, as an expression over `retried`. */
  readonly retryDelay?: string | undefined;
  /** As `retries`, for the failure function. */
  readonly failureRetries?: number | undefined;
  /** As `retryDelay`, for the failure function. */
  readonly failureRetryDelay?: string | undefined;
}

type Encodable = { readonly [Name in keyof EndpointCapabilities]: EndpointCapabilities[Name] | string };

/** Writes the traits as one header. */
export function encodeCapabilities({ onCancel, ...values }: Encodable): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  const pairs = given.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return ["1", onCancel ? "on-cancel" : [], pairs].flat().join(", ");
}

/** Reads the header that {@link encodeCapabilities} writes. Ignores unknown names: a later version may send more. */
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

function toCount(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function decode(text: string | undefined): string | undefined {
  try {
    return text && decodeURIComponent(text);
  } catch {
    return undefined; // The header was written by another program.
  }
}
