import { createHash, randomBytes } from "node:crypto";
import type { Store } from "../commands/store.ts";
import type { SigningKeys } from "./signer.ts";

const SETTING = "signing-keys";

/** The keys in use. The store keeps rotated keys, so they outlive the process. */
export interface Keys {
  current(): Promise<SigningKeys>;
  /** Makes the next key the current one, and generates a new next key. */
  rotate(): Promise<SigningKeys>;
}

interface Rotated extends SigningKeys {
  /** A digest of the configured keys from which these keys were rotated. */
  readonly from: string;
}

/**
 * Creates the keys, which begin with the configured ones. Rotated keys stay in use while the configuration is
 * unchanged: newly configured keys replace them.
 */
export function createKeys(store: Pick<Store, "setting" | "changeSetting">, configured: SigningKeys): Keys {
  const from = createHash("sha256").update(`${configured.current}\n${configured.next}`).digest("hex");
  let known: SigningKeys | undefined;
  const read = (stored: string | undefined): SigningKeys => {
    if (stored === undefined) return configured;
    const rotated = JSON.parse(stored) as Rotated;
    return rotated.from === from ? { current: rotated.current, next: rotated.next } : configured;
  };
  return {
    current: async () => (known ??= read(await store.setting(SETTING))),
    async rotate() {
      for (;;) {
        const was = await store.setting(SETTING);
        const keys = { current: read(was).next, next: newSigningKey() };
        if (await store.changeSetting(SETTING, was, JSON.stringify({ ...keys, from }))) {
          known = keys;
          return keys;
        }
      }
    },
  };
}

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** `sig_` and 28 letters and digits, 166 random bits. */
export function newSigningKey(): string {
  return `sig_${letters(28)}`;
}

/** Creates a token in the format that clients expect: they read the user's id from it. */
export function newToken(user: string): string {
  return Buffer.from(JSON.stringify({ UserID: user, Password: letters(32) })).toString("base64");
}

function letters(length: number): string {
  let text = "";
  while (text.length < length) {
    // 248 is a multiple of 62: with larger bytes, some letters would be more frequent than others.
    for (const byte of randomBytes(length)) if (byte < 248) text += ALPHABET[byte % 62];
  }
  return text.slice(0, length);
}
