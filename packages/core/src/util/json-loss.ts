import { warnOnce } from "./console.ts";

/** Warns on the console, once for each place, of a value that JSON changes. */
export function warnOfJsonLoss(value: unknown, json: string | undefined, what: string): void {
  const loss = lossIn(value, json === undefined ? undefined : JSON.parse(json), "it");
  if (!loss) return;
  const place = `${what} isn't what JSON gives back: ${loss.place}`;
  warnOnce(`${place} and becomes ${loss.read}. Return only what JSON preserves.`, place);
}

interface Loss {
  readonly place: string;
  readonly read: string;
}

/** Finds the first difference; undefined when there is none. */
function lossIn(value: unknown, read: unknown, path: string): Loss | undefined {
  if (value === read) return undefined;
  if (!isPlain(value) || !isPlain(read))
    return { place: `${path} was ${nameOf(value)}`, read: JSON.stringify(read)?.slice(0, 80) ?? "undefined" };
  for (const key of Object.keys(value)) {
    const loss = lossIn(value[key], read[key], `${path}.${key}`);
    if (loss) return loss;
  }
  return undefined;
}

/** True for lists, and for objects without a class, also from another realm. */
function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === null || Object.getPrototypeOf(prototype) === null;
}

function nameOf(value: unknown): string {
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`;
  return typeof value === "object" && value !== null ? `a ${value.constructor?.name}` : String(value);
}
