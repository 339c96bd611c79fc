import { toBase64Url } from "./bytes.ts";

/** Verifies HMACs with SHA-256 under one key. */
export interface HmacKey {
  verify(hmac: Uint8Array<ArrayBuffer>, bytes: Uint8Array<ArrayBuffer>): Promise<boolean>;
}

/** SHA-256 and its HMAC. */
export interface Digests {
  /** The SHA-256 as base64url without padding. */
  sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string>;
  hmacKey(secret: Uint8Array<ArrayBuffer>): HmacKey;
}

/** The digests of `crypto.subtle`, which every platform has. */
export const digests: Digests = {
  sha256: async (bytes) => toBase64Url(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))),
  hmacKey(secret) {
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const key = crypto.subtle.importKey("raw", secret, algorithm, false, ["verify"]);
    return { verify: async (hmac, bytes) => crypto.subtle.verify("HMAC", await key, hmac, bytes) };
  },
};
