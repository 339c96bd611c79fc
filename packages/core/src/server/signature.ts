import { digests } from "#digest";
import { checkCharacters } from "../engine-client/environment.ts";
import type { Delivery } from "../protocol/delivery.ts";
import * as HEADER from "../protocol/header-names.ts";
import { boundHeaders, type DeliveryClaim, ISSUER, TOKEN_CLAIM } from "../protocol/token.ts";
import { decodeUtf8, encodeUtf8, equalConstantTime, fromBase64Url } from "../util/bytes.ts";
import { safely } from "../util/check.ts";
import type { HmacKey } from "../util/digest.ts";
import { messageOf, WorkflowError } from "../util/errors.ts";
import { now } from "../util/test-host.ts";
import { ANSWER_TIMEOUT_SECONDS, withTimeout } from "../util/timeout.ts";
import { normalizeUrl, toHttpUrl } from "../util/url.ts";
import type { IncomingRequest, RequestHead } from "./read-request.ts";

/** The two keys that an engine may sign with: the next one takes over when keys are rotated. */
export interface SigningKeys {
  readonly current: string;
  readonly next: string;
}

/** The part of `Receiver` from `@upstash/qstash` that the endpoint uses. */
export interface Receiver {
  verify(request: {
    signature: string;
    body: string;
    url?: string;
    /** In seconds. */
    clockTolerance?: number;
  }): Promise<boolean>;
}

/**
 * Remembers tokens, so that each is valid once: an engine creates a new token for each attempt. If an endpoint has several
 * processes, use a guard over a store that they share.
 */
export interface ReplayGuard {
  /**
   * Remembers the token, at least until it expires. Returns true for a known token.
   *
   * @param tokenId its `jti`
   * @param expiresAt Unix time in seconds
   */
  seen(tokenId: string, expiresAt: number): boolean | Promise<boolean>;
}

/** Checks a request's token before its body is read. Throws an error that says why the request isn't the engine's. */
export type Verify = (
  head: RequestHead,
  delivery: Delivery,
  publicUrl: string | undefined,
) => Promise<VerifyBody>;

/** Checks the token against the request's body. */
export type VerifyBody = (request: IncomingRequest) => Promise<VerifiedToken>;

/** Claims of a verified token. */
export interface VerifiedToken {
  /** The URL that the engine called; undefined when the token doesn't name it. */
  readonly calledUrl: string | undefined;
  /** True for a run's request to a third party: that run's workflow chose the headers. */
  readonly isCall: boolean;
}

/**
 * Checks the delivery's token: signed with one of the keys, in force, and made for these bytes, this URL and,
 * where our own engine has signed, this kind of delivery of this run.
 *
 * @param tolerance seconds by which the engine's clock may be ahead of this one
 * @throws TypeError for a key that isn't one
 */
export function verifyWithKeys(
  pairs: readonly SigningKeys[],
  tolerance: number,
  guard?: ReplayGuard,
): Verify {
  const candidates = pairs.flatMap(({ current, next }) => [toKey("current", current), toKey("next", next)]);
  return async (head, delivery, publicUrl) => {
    const {
      sub,
      body,
      jti,
      exp,
      [TOKEN_CLAIM]: claimed,
    } = await verifyToken(signatureOf(head), candidates, tolerance);
    if (!isForUrl(sub, head.url, publicUrl)) throw refused(`it was made for another URL (${sub})`);
    const claim = claimed as Partial<DeliveryClaim> | undefined;
    if (!isForDelivery(claim, delivery)) throw refused("it was made for another delivery");
    if (
      claim?.headers !== undefined &&
      !(await isHashOf(claim.headers, encodeUtf8(boundHeaders(head.headers))))
    )
      throw refused("it was made for other headers");
    return async ({ bytes }) => {
      if (!(await isHashOf(body, bytes))) throw refused("it was made for another body");
      if (guard && (typeof jti !== "string" || (await inTime(guard.seen(jti, Number(exp))))))
        throw refused("it was used before");
      return verifiedToken(sub, claimed);
    };
  };
}

async function isHashOf(hash: unknown, bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
  return equalConstantTime(String(hash).replace(/=+$/, ""), await digests.sha256(bytes));
}

/** Like {@link verifyWithKeys}, with a receiver that has its own keys. */
export function verifyWithReceiver(receiver: Receiver, clockTolerance: number): Verify {
  return async (head, delivery, publicUrl) => {
    // A receiver doesn't return the token's claims, so the token could be for another kind of delivery.
    if (delivery.kind === "cancel") throw refused("a receiver can't check a cancellation");
    const signature = signatureOf(head);
    const claims = claimsOf(signature);
    const subject = isForUrl(claims.sub, head.url, publicUrl) ? claims.sub : undefined;
    // A receiver compares URLs character by character.
    const url = publicUrl ? { url: subject ?? publicUrl } : {};
    return async ({ body }) => {
      if (!(await inTime(receiver.verify({ signature, body, clockTolerance, ...url }))))
        throw refused("the receiver rejects it");
      return verifiedToken(subject, claims[TOKEN_CLAIM]);
    };
  };
}

function inTime<Result>(check: Result | Promise<Result>): Promise<Result> {
  return withTimeout(ANSWER_TIMEOUT_SECONDS, "Checking the signature", check);
}

function verifiedToken(subject: unknown, claim: unknown): VerifiedToken {
  return { calledUrl: toHttpUrl(subject), isCall: Object(claim).kind === "call" };
}

/** The claims of a token that no key has checked yet; none for a receiver's own form of token. */
function claimsOf(token: string): Record<string, unknown> {
  return safely(() => decode(token.split(".")[1])) ?? {};
}

function signatureOf({ headers }: RequestHead): string {
  const signature = headers.get(HEADER.signature);
  if (signature) return signature;
  throw refused(`there is no signature in ${HEADER.signature}`);
}

function toKey(which: "current" | "next", key: string): HmacKey {
  checkCharacters(`keys.${which} (PERDURE_${which.toUpperCase()}_SIGNING_KEY)`, key);
  return digests.hmacKey(encodeUtf8(key));
}

/** Header, claims and signature in compact form (RFC 7515, section 7.1): base64url without padding. */
const TOKEN = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/;

/** Reads one part of a token. @throws Error for anything but JSON in base64url */
function decode(part = ""): Record<string, unknown> {
  return Object(JSON.parse(decodeUtf8(fromBase64Url(part))));
}

// The one algorithm of the protocol is fixed, so that no token can choose another. A library that knows every algorithm
// and kind of key is a tenth of a worker's bundle: the tests compare the verdicts with those of jose instead.
async function verifyToken(
  token: string,
  candidates: readonly HmacKey[],
  tolerance: number,
): Promise<Record<string, unknown>> {
  try {
    const [, header, claims, signature = ""] = TOKEN.exec(token) ?? [];
    if (!header || !claims) throw new Error("it isn't a JSON Web Token");
    const { alg, crit } = decode(header);
    if (alg !== "HS256" || crit !== undefined)
      throw new Error(`its algorithm is ${JSON.stringify(crit ?? alg)}, not "HS256"`);
    const hmac = fromBase64Url(signature);
    for (const key of candidates) {
      if (await key.verify(hmac, encodeUtf8(`${header}.${claims}`)))
        return checkClaims(decode(claims), tolerance);
    }
    throw new Error("none of the keys made it");
  } catch (error) {
    throw refused(messageOf(error), error);
  }
}

/** @throws Error that names the claim (RFC 7519, section 4.1) */
function checkClaims(claims: Record<string, unknown>, tolerance: number): Record<string, unknown> {
  const { iss, exp, nbf = 0 } = claims;
  const time = now() / 1000;
  const valid = {
    iss: iss === ISSUER,
    exp: typeof exp === "number" && exp > time,
    nbf: typeof nbf === "number" && nbf <= time + tolerance,
  };
  for (const [name, isValid] of Object.entries(valid))
    if (!isValid) throw new Error(`its ${name} is ${JSON.stringify(claims[name])} at ${time}`);
  return claims;
}

// Behind a proxy the host that the request names isn't the public one. Without a configured URL, the path has to do.
function isForUrl(subject: unknown, requested: URL, publicUrl: string | undefined): subject is string {
  if (subject === (publicUrl ?? requested.href)) return true;
  if (typeof subject !== "string" || !URL.canParse(subject)) return false;
  const made = normalizeUrl(subject);
  if (publicUrl !== undefined) return made.href === normalizeUrl(publicUrl).href;
  const { pathname, search } = normalizeUrl(requested);
  return made.pathname === pathname && made.search === search;
}

// Tokens of other engines lack this claim. Those engines never deliver cancellations.
function isForDelivery(claim: Partial<DeliveryClaim> | undefined, delivery: Delivery): boolean {
  if (claim === undefined) return delivery.kind !== "cancel";
  const { kind, runId, messageId } = claim;
  return (
    (kind === "call" ? "start" : kind) === delivery.kind &&
    messageId === delivery.messageId &&
    runId === delivery.runId
  );
}

function refused(reason: string, cause?: unknown): WorkflowError {
  return new WorkflowError("unauthorized", `The signature isn't valid: ${reason}.`, { cause });
}
