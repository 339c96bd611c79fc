import { errors, jwtVerify } from "jose";
import { equalConstantTime, sha256Base64Url, utf8 } from "../kernel/bytes.ts";
import { messageOf, WorkflowError } from "../kernel/errors.ts";
import type { Delivery } from "../protocol/delivery.ts";
import { HEADER } from "../protocol/headers.ts";
import { type DeliveryClaim, ISSUER, TOKEN_CLAIM } from "../protocol/token.ts";
import type { Mail } from "./mail.ts";

/** The two keys that an engine may sign with: the next one takes over when keys are rotated. */
export interface SigningKeys {
  readonly current: string;
  readonly next: string;
}

/** The part of `Receiver` from `@upstash/qstash` that is used when one is given. */
export interface Receiver {
  verify(request: { signature: string; body: string; url?: string }): Promise<boolean>;
}

/** Resolves when the mail comes from the engine; throws a WorkflowError `unauthorized` that tells why not. */
export type Verify = (mail: Mail, delivery: Delivery, publicUrl: string | undefined) => Promise<void>;

/**
 * Checks the delivery's token: signed with one of the keys, in force, and made for these bytes, this URL and,
 * where our own engine has signed, this kind of delivery of this run.
 *
 * @throws TypeError for a key that isn't one
 */
export function verifyWithKeys({ current, next }: SigningKeys): Verify {
  for (const key of [current, next]) {
    if (typeof key !== "string" || key === "")
      throw new TypeError("A signing key must be a text that isn't empty.");
  }
  const candidates = [importKey(current), importKey(next)];
  return async (mail, delivery, publicUrl) => {
    const payload = await verifyToken(signatureOf(mail), candidates);
    const hash = typeof payload.body === "string" ? payload.body.replace(/=+$/, "") : "";
    if (!equalConstantTime(hash, await sha256Base64Url(mail.bytes)))
      throw refused("it was made for another body");
    if (!isForUrl(payload.sub, mail.url, publicUrl))
      throw refused(`it was made for another URL (${payload.sub})`);
    if (!isForDelivery(payload[TOKEN_CLAIM], delivery)) throw refused("it was made for another delivery");
  };
}

/** As {@link verifyWithKeys}, by a receiver that brings its own keys. */
export function verifyWithReceiver(receiver: Receiver): Verify {
  return async (mail, _delivery, publicUrl) => {
    const signature = signatureOf(mail);
    let valid: boolean;
    try {
      valid = await receiver.verify({ signature, body: mail.body, ...(publicUrl ? { url: publicUrl } : {}) });
    } catch (cause) {
      throw refused(messageOf(cause), cause);
    }
    if (!valid) throw refused("the receiver rejects it");
  };
}

function signatureOf(mail: Mail): string {
  const signature = mail.headers.get(HEADER.signature);
  if (signature) return signature;
  throw new WorkflowError(
    "unauthorized",
    `The request has no signature: the header ${HEADER.signature} is missing.`,
  );
}

function importKey(key: string): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", utf8(key), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}

async function verifyToken(
  token: string,
  candidates: readonly Promise<CryptoKey>[],
): Promise<Record<string, unknown>> {
  let failure: unknown;
  for (const key of candidates) {
    try {
      return (await jwtVerify(token, await key, { issuer: ISSUER, algorithms: ["HS256"] })).payload;
    } catch (error) {
      failure = error;
      // With another key only the signature can come out differently.
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) break;
    }
  }
  throw refused(messageOf(failure), failure);
}

// Behind a proxy the host that the request names isn't the public one. Without a configured URL, the path has to do.
function isForUrl(subject: unknown, requested: URL, publicUrl: string | undefined): boolean {
  if (typeof subject !== "string" || !URL.canParse(subject)) return false;
  const made = withPlainQuery(subject);
  if (publicUrl !== undefined) return made.href === withPlainQuery(publicUrl).href;
  const { pathname, search } = withPlainQuery(requested);
  return made.pathname === pathname && made.search === search;
}

// A framework may hand over the same parameters in other words: Next.js writes `+` where the sender wrote `%20`.
function withPlainQuery(given: string | URL): URL {
  const url = new URL(given);
  url.search = url.searchParams.toString();
  return url;
}

// Absent in tokens of other engines, which can't tell one kind of delivery from another.
function isForDelivery(claim: unknown, delivery: Delivery): boolean {
  if (claim === undefined) return true;
  const { kind, runId, messageId } = claim as Partial<DeliveryClaim>;
  return kind === delivery.kind && messageId === delivery.messageId && runId === delivery.runId;
}

function refused(reason: string, cause?: unknown): WorkflowError {
  return new WorkflowError("unauthorized", `The request's signature isn't valid: ${reason}.`, { cause });
}
