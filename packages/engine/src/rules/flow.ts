import { HEADER, parseDuration } from "@perdure/core/protocol";
import { DAY } from "./duration.ts";
import { invalid } from "./engine-error.ts";
import { toName } from "./name.ts";

/** A limit that all messages with the same key share. */
export interface FlowLimit {
  readonly key: string;
  /** Deliveries in progress at once; `undefined` for any number. */
  readonly parallelism: number | undefined;
  /** Deliveries that may begin within a period; `undefined` for any number. */
  readonly rate: number | undefined;
  /** The period, in milliseconds. */
  readonly period: number;
}

/** Milliseconds. */
export const MAX_PERIOD: number = 7 * DAY;

/**
 * `parallelism=5, rate=10, period=1m`, in any order, with a parallelism or a rate at least.
 *
 * @throws EngineError `invalid_request` that names the field
 */
export function parseFlow(
  key: string | undefined,
  value: string | undefined,
  shown: (name: string) => string,
): FlowLimit | undefined {
  if (key === undefined && value === undefined) return undefined;
  const [keyField, field] = [shown(HEADER.flowControlKey), shown(HEADER.flowControlValue)];
  if (key === undefined) throw invalid(field, `it needs ${keyField} beside it`);
  if (value === undefined) throw invalid(keyField, `it needs ${field} beside it`);
  toName(key, keyField);
  const parts = toParts(value, field);
  const parallelism = toLimit(parts.get("parallelism"), field);
  const rate = toLimit(parts.get("rate"), field);
  if (parallelism === undefined && rate === undefined) {
    throw invalid(field, `expected a parallelism, a rate or both, got "${value}"`);
  }
  return { key, parallelism, rate, period: toPeriod(parts.get("period") ?? "1s", field) };
}

function toParts(value: string, field: string): Map<string, string> {
  const parts = new Map<string, string>();
  for (const part of value.split(",")) {
    const found = /^\s*(parallelism|rate|period)\s*=\s*(\S+)\s*$/i.exec(part);
    if (!found) throw invalid(field, `expected parallelism=…, rate=… or period=…, got "${part.trim()}"`);
    const name = (found[1] as string).toLowerCase();
    if (parts.has(name)) throw invalid(field, `${name} is given twice`);
    parts.set(name, found[2] as string);
  }
  return parts;
}

function toLimit(text: string | undefined, field: string): number | undefined {
  if (text === undefined) return undefined;
  const limit = /^\d+$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && Number.isSafeInteger(limit)) return limit;
  throw invalid(field, `expected a whole number from 1 on, got "${text}"`);
}

function toPeriod(text: string, field: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0 && ms <= MAX_PERIOD) return ms;
  throw invalid(field, `expected a period of up to 7 days, such as "30s", got "${text}"`);
}
