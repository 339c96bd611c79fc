import { createHash } from "node:crypto";
import { type DeliveryClaim, ISSUER, randomId, TOKEN_CLAIM } from "@perdure/core/protocol";
import { SignJWT } from "jose";

/** Seconds after which receivers refuse a signature. */
const LIFETIME = 300;

/** The values that a signature covers. */
export interface Signed {
  readonly url: string;
  readonly body: Uint8Array | string;
  readonly claim: DeliveryClaim;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** The keys that sign deliveries. */
export interface SigningKeys {
  readonly current: string;
  /** The key that replaces the current one at a rotation. Receivers already accept it. */
  readonly next: string;
}

/** Makes the token that proves to an endpoint that exactly this request comes from the engine. */
export interface Signer {
  sign(signed: Signed): Promise<string>;
}

/** @param keys called for each signature, because a rotation may change the keys at any time */
export function createSigner(keys: () => Promise<SigningKeys>): Signer {
  let last: { readonly text: string; readonly key: Promise<CryptoKey> } | undefined;
  return {
    async sign({ url, body, claim, now }) {
      const { current } = await keys();
      if (last?.text !== current) last = { text: current, key: toKey(current) };
      const issued = Math.floor(now / 1000);
      return new SignJWT({
        iss: ISSUER,
        sub: url,
        iat: issued,
        exp: issued + LIFETIME,
        nbf: 0,
        jti: `jwt_${randomId()}`,
        body: createHash("sha256").update(body).digest("base64url"),
        [TOKEN_CLAIM]: claim,
      })
        .setProtectedHeader({ alg: "HS256", typ: "JWT" })
        .sign(await last.key);
    },
  };
}

/** Imports a signing key. The whole string is the key, its prefix included. */
function toKey(text: string): Promise<CryptoKey> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", new TextEncoder().encode(text), algorithm, false, ["sign"]);
}
