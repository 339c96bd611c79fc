const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";

/** `length` characters of 6 random bits each. They need no escaping in JSON, URLs or headers. */
export function randomId(length = 21): string {
  let id = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(length))) id += ALPHABET[byte & 63];
  return id;
}

export function newMessageId(): string {
  return `msg_${randomId()}`;
}

export function newRunId(): string {
  return `wfr_${randomId()}`;
}

export function newScheduleId(): string {
  return `scd_${randomId()}`;
}
