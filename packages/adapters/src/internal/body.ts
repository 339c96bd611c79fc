/**
 * Returns the bytes of a body that a framework has kept.
 *
 * @param contentLength the request's Content-Length
 * @returns undefined for a parsed or decompressed body: its bytes are not the received ones
 */
export function rawBytes(kept: unknown, contentLength: string | null): Uint8Array<ArrayBuffer> | undefined {
  if (contentLength === "0") return new Uint8Array();
  const bytes = toBytes(kept);
  return contentLength === null || bytes?.length === Number(contentLength) ? bytes : undefined;
}

function toBytes(kept: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (typeof kept === "string") return new TextEncoder().encode(kept);
  if (kept instanceof ArrayBuffer) return new Uint8Array(kept);
  if (!ArrayBuffer.isView(kept)) return undefined;
  return new Uint8Array(new Uint8Array(kept.buffer, kept.byteOffset, kept.byteLength));
}

/** Stands for a body that other code has read. Reading it throws an error with the remedy. */
export function consumedBody(remedy: string): ReadableStream<Uint8Array> {
  const message = `Other code read the request's body before the workflow, and the signature covers the raw bytes. ${remedy}`;
  return new ReadableStream({ start: (controller) => controller.error(new TypeError(message)) });
}

/** Returns the request; if its body has been read, a copy with the kept body. */
export function withBody(request: Request, kept: unknown, remedy: string): Request {
  if (!request.bodyUsed) return request;
  const { method, headers, signal } = request;
  const body = rawBytes(kept, headers.get("Content-Length")) ?? consumedBody(remedy);
  const init = { method, headers, signal, body, duplex: "half" };
  return new Request(request.url, init);
}
