const encoder = new TextEncoder();
const decoder = new TextDecoder();
// `atob` returns one character per byte, which is only right for ASCII.
const ASCII = /^\p{ASCII}*$/u;

/** Encodes a string as UTF-8. */
export function encodeUtf8(value: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(value) as Uint8Array<ArrayBuffer>;
}

/** Decodes UTF-8. Replaces invalid bytes. */
export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/**
 * Encodes bytes as base64.
 *
 * @example
 * ```ts
 * toBase64(new TextEncoder().encode("hi")); // "aGk="
 * ```
 */
export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Encodes bytes as base64url without padding. */
export function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * Decodes base64.
 *
 * @throws DOMException when the string isn't base64
 * @example
 * ```ts
 * fromBase64("aGk="); // Uint8Array [104, 105]
 * ```
 */
export function fromBase64(base64: string): Uint8Array<ArrayBuffer> {
  return fromBinary(atob(base64));
}

/** Decodes base64url, with or without padding. Throws as {@link fromBase64}. */
export function fromBase64Url(base64url: string): Uint8Array<ArrayBuffer> {
  return fromBase64(base64url.replaceAll("-", "+").replaceAll("_", "/"));
}

/** Returns the bytes of a string that has one character per byte. */
export function fromBinary(binary: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

/**
 * Decodes base64 of UTF-8. Throws as {@link fromBase64}.
 *
 * @example
 * ```ts
 * textFromBase64("aGk="); // "hi"
 * ```
 */
export function textFromBase64(base64: string): string {
  const binary = atob(base64);
  return ASCII.test(binary) ? binary : decodeUtf8(fromBinary(binary));
}

/** Compares two strings in a time that doesn't depend on the position of the first difference. */
export function equalConstantTime(left: string, right: string): boolean {
  let difference = left.length ^ right.length;
  for (let at = 0; at < left.length; at++) difference |= left.charCodeAt(at) ^ right.charCodeAt(at);
  return difference === 0;
}
