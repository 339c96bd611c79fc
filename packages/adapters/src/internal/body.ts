/**
 * Returns the body that a framework has kept, as bytes.
 *
 * @param contentLength the request's Content-Length
 * @returns undefined unless it can be the bytes that came in: a parsed body can't, nor one that was inflated
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

/** A body that somebody has eaten: reading it is an error that says how to mend that. */
export function consumedBody(remedy: string): ReadableStream<Uint8Array> {
  const message = `The request's body has been read before it reached the workflow, and the signature is over its raw bytes. ${remedy}`;
  return new ReadableStream({ start: (controller) => controller.error(new TypeError(message)) });
}

/** The request, or one with the kept body when its own has been read. */
export function withBody(request: Request, kept: unknown, remedy: string): Request {
  if (!request.bodyUsed) return request;
  const { method, headers, signal } = request;
  const body = rawBytes(kept, headers.get("Content-Length")) ?? consumedBody(remedy);
  const init = { method, headers, signal, body, duplex: "half" };
  return new Request(request.url, init);
}
