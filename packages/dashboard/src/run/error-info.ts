import type { ErrorInfo } from "../api/types.ts";

/** Reads an error in the form in which endpoints report it. @returns undefined for something else */
export function toErrorInfo(value: unknown): ErrorInfo | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { message, error, ...rest } = value as { readonly message?: unknown; readonly error?: unknown };
  if (typeof message === "string") return value as ErrorInfo;
  // Many services answer with nothing but { "error": "…" }.
  return typeof error === "string" ? { ...rest, message: error } : undefined;
}

/** The errors behind an error, the nearest first. */
export function causesOf({ cause }: ErrorInfo): ErrorInfo[] {
  const causes: ErrorInfo[] = [];
  let next: unknown = cause;
  while (next !== undefined && next !== null && causes.length < MOST) {
    const info = toErrorInfo(next) ?? { message: typeof next === "string" ? next : JSON.stringify(next) };
    causes.push(info);
    next = info.cause;
  }
  return causes;
}

/** A longer chain goes in a circle, or tells nothing more. */
const MOST = 10;

/** The name of an error's class. */
export function nameOf({ name, error }: ErrorInfo): string {
  return name ?? error ?? "Error";
}
