import { EngineError, type EngineErrorCode, type EngineErrorFacts } from "../../rules/engine-error.ts";
import { StoreUnavailable } from "../unavailable.ts";

/** A request to a thread: an operation by its name. */
export interface ThreadRequest {
  readonly operation: string;
  readonly args: readonly unknown[];
  /** The engine's time, in milliseconds since 1970. */
  readonly now: number;
}

export type ThreadAnswer =
  | { readonly result: unknown }
  /** An error between threads loses its class. */
  | { readonly error: ThreadError };

interface ThreadError {
  readonly kind: "engine" | "unavailable" | "other";
  readonly message: string;
  readonly code?: EngineErrorCode;
  readonly facts?: EngineErrorFacts;
  readonly stack?: string | undefined;
}

export function toThreadError(error: unknown): ThreadError {
  if (error instanceof EngineError) {
    const { message, code, facts } = error;
    return { kind: "engine", message, code, facts };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { kind: error instanceof StoreUnavailable ? "unavailable" : "other", message, stack };
}

export function fromThreadError({ kind, message, code, facts, stack }: ThreadError): Error {
  if (kind === "engine" && code) return new EngineError(code, message, facts);
  if (kind === "unavailable") return new StoreUnavailable(message);
  return Object.assign(new Error(message), stack === undefined ? {} : { stack });
}
