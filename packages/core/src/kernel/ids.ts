const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";

/** `length` characters of 6 random bits each, from the platform's secure source. */
export function randomId(length = 21): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  let id = "";
  for (const byte of bytes) id += ALPHABET[byte & 63];
  return id;
}

const RUN_PREFIX = "wfr_";

/** A run's id as it travels: `wfr_` and the given or a random name. */
export function toRunId(name: string = randomId()): string {
  return `${RUN_PREFIX}${name}`;
}
