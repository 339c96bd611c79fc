import { safely } from "./check.ts";
import { type Digests, digests as subtleDigests } from "./digest.ts";

/** A hash of `node:crypto` that takes bytes. */
interface Digest {
  update(bytes: Uint8Array): Digest;
  digest(): Uint8Array<ArrayBuffer>;
  digest(encoding: "base64url"): string;
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
        : node.createHash("sha256").update(bytes).digest("base64url"),
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

/** The platform's digests. */
export const digests: Digests = createDigests();
