import { EngineError } from "../rules/engine-error.ts";
import type { Observer } from "../rules/event.ts";
import { StoreUnavailable } from "../store/unavailable.ts";

/**
 * Returns the refusal that a client gets for an error of a route, and reports an error that isn't the client's fault.
 *
 * @param call the request in a few words, for the report
 * @returns undefined for an error that a client may not see
 */
export function toRefusal(error: unknown, call: string, emit: Observer): EngineError | undefined {
  if (error instanceof EngineError) return error;
  if (error instanceof StoreUnavailable) {
    emit({ type: "fault", during: "storing", error });
    return new EngineError("unavailable", "the database can't serve this request now: try again later", {
      retryAfter: 5,
    });
  }
  emit({ type: "fault", during: call, error });
  return undefined;
}

/** The text for an error that a client may not see. */
export const INTERNAL_ERROR = "internal error: see the engine's log";
