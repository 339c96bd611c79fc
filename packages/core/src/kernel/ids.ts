import { toBase64Url } from "./bytes.ts";

/** 126 random bits from the platform's secure source, as 21 characters. */
export function randomId(): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(16))).slice(0, 21);
}

/** A run's id as it travels: `wfr_` and the given or a random name. */
export function toRunId(name: string = randomId()): string {
  return `wfr_${name}`;
}
