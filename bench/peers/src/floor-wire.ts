// How the two processes of the floor talk to each other.
import { createHash, createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { toNode } from "@perdure/adapters/node";

/** Answers a request, once the wire has checked its signature, with a value as JSON. */
export type Handle = (path: string, body: string) => Promise<unknown>;

/** A way to sign, send and answer requests. */
export interface Wire {
  /** The headers of a signed request. */
  sign(url: string, body: string): Record<string, string>;
  /** @param isSigned whether requests are signed */
  toListener(handle: Handle, isSigned: boolean): RequestListener;
}

const KEY = "0123456789abcdef";

/** The least that Node can do: its own requests and answers, and a signature of the body. */
const bare: Wire = {
  sign: (_url, body) => ({ signature: hmac(body, "hex") }),
  toListener: (handle, isSigned) => async (incoming, outgoing) => {
    const body = String(await buffer(incoming));
    if (isSigned && incoming.headers.signature !== hmac(body, "hex"))
      throw new Error("The signature is wrong.");
    outgoing.end(JSON.stringify(await handle(incoming.url ?? "", body)));
  },
};

/**
 * The work of every endpoint of the protocol that runs on each platform: the requests and answers are those of fetch, the
 * signature is a JSON Web Token that binds the body and the headers, and the Web Crypto API checks it.
 */
const standard: Wire = {
  sign(url, body) {
    const headers: Record<string, string> = {
      "content-type": "application/json",
      "upstash-caller-ip": "127.0.0.1",
      "upstash-message-id": `msg_${randomUUID()}`,
      "upstash-retried": "0",
      "upstash-retries": "3",
      "upstash-workflow-calltype": "step",
      "upstash-workflow-createdat": String(Date.now()),
      "upstash-workflow-init": "true",
      "upstash-workflow-runid": `wfr_${randomUUID()}`,
      "upstash-workflow-url": url,
    };
    const claims = {
      sub: url,
      jti: randomUUID(),
      body: sha256(body),
      headers: sha256(bound(new Headers(headers))),
    };
    const signed = `${toBase64Url({ alg: "HS256", typ: "JWT" })}.${toBase64Url(claims)}`;
    return { ...headers, "upstash-signature": `${signed}.${hmac(signed, "base64url")}` };
  },
  toListener: (handle, isSigned) => toNode(toFetch(handle, isSigned)),
};

/** Answers requests of fetch. */
function toFetch(handle: Handle, isSigned: boolean): (request: Request) => Promise<Response> {
  return async (request) => {
    const bytes = new Uint8Array(await request.arrayBuffer());
    if (isSigned) await check(request.headers, bytes);
    return Response.json(await handle(new URL(request.url).pathname, new TextDecoder().decode(bytes)));
  };
}

/** Sends signed requests of fetch to a function of the same process. @returns the value that it answers */
export function callLocally(handle: Handle): (url: string, body: string) => Promise<unknown> {
  const answer = toFetch(handle, true);
  return async (url, body) => {
    const request = new Request(url, { method: "POST", headers: standard.sign(url, body), body });
    return (await answer(request)).json();
  };
}

const imported = crypto.subtle.importKey("raw", Buffer.from(KEY), { name: "HMAC", hash: "SHA-256" }, false, [
  "verify",
]);

async function check(headers: Headers, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const [header = "", payload = "", signature = ""] = (headers.get("upstash-signature") ?? "").split(".");
  const signed = new TextEncoder().encode(`${header}.${payload}`);
  const isSigned = await crypto.subtle.verify(
    "HMAC",
    await imported,
    Buffer.from(signature, "base64url"),
    signed,
  );
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
  const isFor = async (claim: string, content: Uint8Array<ArrayBuffer>): Promise<boolean> =>
    claim === Buffer.from(await crypto.subtle.digest("SHA-256", content)).toString("base64url");
  const isBound = await isFor(claims.headers, new TextEncoder().encode(bound(headers)));
  if (!isSigned || !isBound || !(await isFor(claims.body, bytes))) throw new Error("The signature is wrong.");
}

/** The headers that a token binds, as one string. */
function bound(headers: Headers): string {
  return [...headers]
    .filter(([name]) => name.startsWith("upstash-") && name !== "upstash-signature")
    .map(([name, value]) => `${name}:${value}\n`)
    .join("");
}

function toBase64Url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

function hmac(text: string, encoding: "hex" | "base64url"): string {
  return createHmac("sha256", KEY).update(text).digest(encoding);
}

/** The wires by the argument that names them. */
export function wireOf(name = "bare"): Wire {
  return name === "fetch" ? standard : bare;
}

/** Listens on a free port. @returns the URL */
export async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
