import { type RequestOptions, request as send } from "node:http";
import { buffer } from "node:stream/consumers";
import { sign, type Token } from "@perdure/test-support/delivery";
import type { Traits } from "./pair.ts";
import type { Stand } from "./stand.ts";

/** A server under test, and what stands in the engine's place. */
export interface Scene {
  /** Where the routes are mounted. */
  readonly url: string;
  readonly stand: Stand;
  readonly traits: Traits;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  readonly text: string;
}

export interface Sending {
  readonly method?: string;
  /** Of those that are to be sent twice, a list. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array | undefined;
  /** The body comes without its length. */
  readonly chunked?: boolean;
}

/** An HTTP request as it is told, with nothing added but the host and the length. */
export function ask(url: string, { method = "POST", headers = {}, body, chunked }: Sending): Promise<Answer> {
  const bytes = Buffer.from(body ?? "");
  const length = method === "POST" && !chunked ? { "Content-Length": String(bytes.length) } : {};
  const lines = Object.entries({ ...headers, ...length }).map(([name, value]) => [name, [value].flat()]);
  const options: RequestOptions = { method, headers: Object.fromEntries(lines), agent: false };
  return new Promise((resolve, reject) => {
    const outgoing = send(url, options, async (incoming) => {
      try {
        const received = await buffer(incoming);
        const pairs = Object.entries(incoming.headersDistinct).flatMap(([name, values = []]) =>
          values.map((value) => [name, value] as [string, string]),
        );
        resolve({
          status: incoming.statusCode ?? 0,
          headers: new Headers(pairs),
          bytes: new Uint8Array(received),
          text: received.toString(),
        });
      } catch (error) {
        reject(error);
      }
    });
    outgoing.on("error", reject);
    if (chunked)
      for (let at = 0; at < bytes.length; at += 16_384) outgoing.write(bytes.subarray(at, at + 16_384));
    outgoing.end(chunked ? undefined : bytes);
  });
}

export interface Delivery {
  readonly body?: string | Uint8Array | undefined;
  readonly headers?: Record<string, string>;
  /** Signed for the path and the body by default. */
  readonly token?: Token;
  readonly chunked?: boolean;
}

/** A delivery with a valid signature, if `token` doesn't say otherwise. */
export async function deliver({ url }: Scene, path: string, delivery: Delivery): Promise<Answer> {
  const { body = "", headers = {}, token, chunked = false } = delivery;
  const signature = await sign(body, { subject: url + path, ...token });
  const all = { "Content-Type": "application/json", "Upstash-Signature": signature, ...headers };
  return ask(url + path, { headers: all, body, chunked });
}
