const encoder = new TextEncoder();
const decoder = new TextDecoder();
// Outside ASCII, the "binary string" that atob gives isn't the text yet.
const ASCII = /^\p{ASCII}*$/u;
const CHUNK = 0x8000;

export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text) as Uint8Array<ArrayBuffer>;
}

export function text(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

export function toBase64(value: string | Uint8Array): string {
  const bytes = typeof value === "string" ? encoder.encode(value) : value;
  let binary = "";
  // In pieces: the arguments of one call are limited.
  for (let at = 0; at < bytes.length; at += CHUNK)
    binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(binary);
}

/** @throws DOMException when the text isn't base64 */
export function fromBase64(base64: string): Uint8Array<ArrayBuffer> {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

/** The UTF-8 text in a base64 text. Throws as {@link fromBase64}. */
export function textFromBase64(base64: string): string {
  const binary = atob(base64);
  return ASCII.test(binary) ? binary : text(fromBase64(base64));
}

/** Compares without telling by its time where the first difference is. */
export function equalConstantTime(left: string, right: string): boolean {
  const a = encoder.encode(left);
  const b = encoder.encode(right);
  let difference = a.length ^ b.length;
  for (let at = 0; at < a.length; at++) difference |= (a[at] ?? 0) ^ (b[at % b.length] ?? 0);
  return difference === 0;
}

/** SHA-256 as base64url without padding. */
export async function sha256Base64Url(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return toBase64(new Uint8Array(digest)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
