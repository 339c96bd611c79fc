import { createHash, createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { type DeliveryClaim, ISSUER, randomId, TOKEN_CLAIM } from "@perdure/core/protocol";

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
  /** Reads the keys, if they are old: the next signature needn't wait for them then. */
  prepare(): void;
  sign(signed: Signed): Promise<string>;
}

/** The header of every token: a JSON Web Token with an HMAC (RFC 7515). */
const HEADER = toBase64Url(JSON.stringify({ alg: "HS256", typ: "JWT" }));

/** @param keys called for each signature, because a rotation may change the keys at any time */
export function createSigner(keys: () => Promise<SigningKeys>): Signer {
  let last: { readonly text: string; readonly key: KeyObject } | undefined;
  return {
    prepare() {
      // A signature tries it again, and says what is wrong.
      keys().catch(() => {});
    },
    async sign({ url, body, claim, now }) {
      const { current } = await keys();
      if (last?.text !== current) last = { text: current, key: toKey(current) };
      const issued = Math.floor(now / 1000);
      const claims = {
        iss: ISSUER,
        sub: url,
        iat: issued,
        exp: issued + LIFETIME,
        nbf: 0,
        jti: `jwt_${randomId()}`,
        body: createHash("sha256").update(body).digest("base64url"),
        [TOKEN_CLAIM]: claim,
      };
      const signed = `${HEADER}.${toBase64Url(JSON.stringify(claims))}`;
      return `${signed}.${createHmac("sha256", last.key).update(signed).digest("base64url")}`;
    },
  };
}

/** The whole string is the key, its prefix included. */
function toKey(text: string): KeyObject {
  return createSecretKey(Buffer.from(text));
}

function toBase64Url(text: string): string {
  return Buffer.from(text).toString("base64url");
}
