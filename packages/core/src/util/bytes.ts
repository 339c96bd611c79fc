const encoder = new TextEncoder();
const decoder = new TextDecoder();
// Outside ASCII, the "binary string" that atob gives isn't the text yet.
const ASCII = /^\p{ASCII}*$/u;

export function encodeUtf8(decodeUtf8: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(decodeUtf8) as Uint8Array<ArrayBuffer>;
}

export function text(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Without padding. */
export function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @throws DOMException when the text isn't base64 */
export function fromBase64(base64: string): Uint8Array<ArrayBuffer> {
  return fromBinary(atob(base64));
}

/** Throws as {@link fromBase64}. */
export function fromBase64Url(base64url: string): Uint8Array<ArrayBuffer> {
  return fromBase64(base64url.replaceAll("-", "+").replaceAll("_", "/"));
}

/** Of a text that has one character a byte. */
export function fromBinary(binary: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

/** The UTF-8 text in a base64 text. Throws as {@link fromBase64}. */
export function textFromBase64(base64: string): string {
  const binary = atob(base64);
  return ASCII.test(binary) ? binary : text(fromBinary(binary));
}

/** Compares without telling by its time where the first difference is. */
export function equalConstantTime(left: string, right: string): boolean {
  let difference = left.length ^ right.length;
  for (let at = 0; at < left.length; at++) difference |= left.charCodeAt(at) ^ right.charCodeAt(at);
  return difference === 0;
}

/** SHA-256 as base64url without padding. */
export async function sha256Base64Url(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return toBase64Url(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}
