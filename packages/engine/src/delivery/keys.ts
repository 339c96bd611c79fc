import { createHash, randomBytes } from "node:crypto";
import type { Store } from "../commands/store.ts";
import type { SigningKeys } from "./signer.ts";

const SETTING = "signing-keys";

/** The keys in use. Rotated ones are in the store, and outlive the process. */
export interface Keys {
  current(): Promise<SigningKeys>;
  /** The next key takes the current one's place, and a new one its own. */
  rotate(): Promise<SigningKeys>;
}

interface Rotated extends SigningKeys {
  /** A digest of the configured keys that these have come from. */
  readonly from: string;
}

/**
 * Keys that begin with the configured ones. Rotated ones hold for as long as the configuration stays what it was:
 * whoever configures others means those.
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

/** A token as clients read it: they look for the user's id in it. */
export function newToken(user: string): string {
  return Buffer.from(JSON.stringify({ UserID: user, Password: letters(32) })).toString("base64");
}

function letters(length: number): string {
  let text = "";
  while (text.length < length) {
    // Above that, some letters would come more often than others.
    for (const byte of randomBytes(length)) if (byte < 248) text += ALPHABET[byte % 62];
  }
  return text.slice(0, length);
}
