import { safely } from "./check.ts";

/** A hash of `node:crypto` that takes bytes. */
interface Digest {
  update(bytes: Uint8Array): Digest;
  digest(): Uint8Array<ArrayBuffer>;
}

/** The functions of `node:crypto` that the runtime uses. */
interface NodeCrypto {
  createHash(algorithm: "sha256"): Digest;
  createHmac(algorithm: "sha256", key: object): Digest;
  createSecretKey(secret: Uint8Array): object;
  timingSafeEqual(left: Uint8Array, right: Uint8Array): boolean;
}

interface Platform {
  readonly process?: { getBuiltinModule?(id: string): NodeCrypto | undefined };
}

/** Verifies HMACs with SHA-256 under one key. */
export interface HmacKey {
  verify(hmac: Uint8Array<ArrayBuffer>, bytes: Uint8Array<ArrayBuffer>): Promise<boolean>;
}

/** SHA-256 and its HMAC. */
export interface Digests {
  sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  hmacKey(secret: Uint8Array<ArrayBuffer>): HmacKey;
}

/** Bytes that are hashed in place. More would hold up other requests, and another thread hashes them. */
const IN_PLACE = 128 * 1024;

/**
 * Creates the platform's digests. Where the platform has Node's functions, these hash at once: `crypto.subtle` sends each
 * call to another thread, which takes longer than the hash of a usual delivery.
 */
export function createDigests(platform: Platform = globalThis as Platform): Digests {
  const node = builtinCrypto(platform);
  if (!node) return subtleDigests;
  return {
    sha256: async (bytes) =>
      bytes.length > IN_PLACE
        ? subtleDigests.sha256(bytes)
        : node.createHash("sha256").update(bytes).digest(),
    hmacKey(secret) {
      const key = node.createSecretKey(secret);
      return {
        async verify(hmac, bytes) {
          const made = node.createHmac("sha256", key).update(bytes).digest();
          return made.length === hmac.length && node.timingSafeEqual(made, hmac);
        },
      };
    },
  };
}

// Not imported, because some runtimes lack the module.
function builtinCrypto({ process }: Platform): NodeCrypto | undefined {
  // An edge runtime may have Node's functions and throw when they are called.
  return safely(() => {
    const node = process?.getBuiltinModule?.("node:crypto");
    node?.createHash("sha256");
    return node;
  });
}

const subtleDigests: Digests = {
  sha256: async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)),
  hmacKey(secret) {
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const key = crypto.subtle.importKey("raw", secret, algorithm, false, ["verify"]);
    return { verify: async (hmac, bytes) => crypto.subtle.verify("HMAC", await key, hmac, bytes) };
  },
};

/** The platform's digests. */
export const digests: Digests = createDigests();
