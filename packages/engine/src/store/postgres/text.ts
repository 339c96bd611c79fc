/** PostgreSQL stores every character but NUL. A pair that begins with this one stands for NUL, and for itself. */
const ESCAPE = "\u001a";
const NUL = "\0";
/** Half of a character, which UTF-8 can't express. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** Writes a string as PostgreSQL can store it. Equal strings stay equal, and different ones different. */
export function encodeText(value: string): string {
  const text = value.replace(LONE_SURROGATE, "\ufffd");
  if (!text.includes(NUL) && !text.includes(ESCAPE)) return text;
  return text.replaceAll(ESCAPE, `${ESCAPE}1`).replaceAll(NUL, `${ESCAPE}0`);
}

/** Reads a string that {@link encodeText} has written. */
export function decodeText(stored: string): string {
  if (!stored.includes(ESCAPE)) return stored;
  return stored.replaceAll(`${ESCAPE}0`, NUL).replaceAll(`${ESCAPE}1`, ESCAPE);
}
