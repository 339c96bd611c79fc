import { Problem } from "../domain/problem.ts";

/**
 * The bytes of a request's body.
 *
 * @throws Problem 413 as soon as there are more than `limit`
 */
export async function readBody(request: Request, limit: number): Promise<Uint8Array> {
  const announced = Number(request.headers.get("content-length") ?? Number.NaN);
  if (announced > limit) throw tooLarge(limit);
  // A server holds the sender to what it announced.
  if (announced >= 0) return withinLimit(new Uint8Array(await request.arrayBuffer()), limit);
  if (!request.body) return new Uint8Array();
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of request.body) {
    size += part.length;
    if (size > limit) throw tooLarge(limit);
    parts.push(part);
  }
  return Buffer.concat(parts, size);
}

function withinLimit(body: Uint8Array, limit: number): Uint8Array {
  if (body.length > limit) throw tooLarge(limit);
  return body;
}

function tooLarge(limit: number): Problem {
  return new Problem(413, `the body is larger than the ${limit} bytes that are allowed`);
}
