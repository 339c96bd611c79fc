import { checkDestination, type DestinationLimits } from "./destination.ts";
import { isHeaderValue } from "./header.ts";
import { invalid, messageOf } from "./problem.ts";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;
export type Method = (typeof METHODS)[number];

export const LONGEST_ID = 1024;

export function toMethod(text: string, field: string): Method {
  const method = METHODS.find((known) => known === text.toUpperCase());
  if (method) return method;
  throw invalid(field, `expected one of ${METHODS.join(", ")}, got "${text}"`);
}

export function toFlag(text: string, field: string): boolean {
  const flag = text.trim().toLowerCase();
  if (flag === "true" || flag === "false") return flag === "true";
  throw invalid(field, `expected true or false, got "${text}"`);
}

/** A text that somebody chose to know something by. */
export function toId(text: string, field: string): string {
  if (text.length >= 1 && text.length <= LONGEST_ID) return text;
  throw invalid(field, `expected 1 to ${LONGEST_ID} characters, got ${text.length}`);
}

export function toHeaderValue(text: string, field: string): string {
  if (isHeaderValue(text)) return text;
  throw invalid(field, "a header can't carry control characters, or characters outside Latin-1");
}

export function toUrl(text: string, field: string, limits?: DestinationLimits): string {
  try {
    return checkDestination(text, limits);
  } catch (cause) {
    throw invalid(field, messageOf(cause), { cause });
  }
}
