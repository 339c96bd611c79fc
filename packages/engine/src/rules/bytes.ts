/** Encodes bytes as Base64, without a copy of them. */
export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

export function fromBase64(text: string): Uint8Array {
  return Buffer.from(text, "base64");
}

export function toBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Decodes UTF-8; a replacement character stands for each invalid sequence. */
export function toText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
