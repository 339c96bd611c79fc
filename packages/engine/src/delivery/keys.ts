import { createHash, randomBytes } from "node:crypto";
import type { Store } from "../commands/store.ts";
import type { Clock } from "../rules/clock.ts";
import type { SigningKeys } from "./signer.ts";

const SETTING = "signing-keys";

/** Milliseconds after which an engine reads the keys again: another engine of the same store may have rotated them. */
const READ_AGAIN_MS = 5000;

/** The keys in use. The store keeps rotated keys, so they outlive the process. */
export interface Keys {
  /** The keys for signatures. They are at most some seconds old. */
  current(): Promise<SigningKeys>;
  /** The keys, as they are in the store now. */
  latest(): Promise<SigningKeys>;
  /** Makes the next key the current one, and generates a new next key. */
  rotate(): Promise<SigningKeys>;
}

interface Rotated extends SigningKeys {
  /** A digest of the configured keys from which these keys were rotated. */
  readonly from: string;
}

/** The objects that {@link createKeys} uses. */
export interface KeysOptions {
  readonly store: Pick<Store, "setting" | "changeSetting">;
  readonly clock: Pick<Clock, "now">;
  readonly configured: SigningKeys;
}

/**
 * Creates the keys, which begin with the configured ones. Rotated keys stay in use while the configuration is
 * unchanged: newly configured keys replace them.
 */
export function createKeys({ store, clock, configured }: KeysOptions): Keys {
  const from = digest(`${configured.current}\n${configured.next}`);
  let known: { readonly keys: SigningKeys; readonly at: number } | undefined;
  const keep = (keys: SigningKeys): SigningKeys => {
    known = { keys, at: clock.now() };
    return keys;
  };
  const read = (stored: string | undefined): SigningKeys => {
    if (stored === undefined) return configured;
    const rotated = JSON.parse(stored) as Rotated;
    return rotated.from === from ? { current: rotated.current, next: rotated.next } : configured;
  };
  const latest = async (): Promise<SigningKeys> => keep(read(await store.setting(SETTING)));
  let reading: Promise<SigningKeys> | undefined;
  return {
    latest,
    async current() {
      if (known && Math.abs(clock.now() - known.at) < READ_AGAIN_MS) return known.keys;
      // Deliveries that need them at the same time read them once.
      reading ??= latest().finally(() => (reading = undefined));
      const { keys } = known ?? {};
      // A delivery that is under way must not fail because the database is away.
      return keys ? reading.catch(() => keys) : reading;
    },
    async rotate() {
      for (;;) {
        const was = await store.setting(SETTING);
        const keys = { current: read(was).next, next: newSigningKey() };
        if (await store.changeSetting(SETTING, was, JSON.stringify({ ...keys, from }))) return keep(keys);
      }
    },
  };
}

/**
 * Identifies a secret among a few others: the first 12 bits of its SHA-256, as three hexadecimal digits.
 *
 * A whole digest would let a reader of the database find a weak secret by trying words, without any request to the engine.
 * These 12 bits fit one in 4096 of all words, so they can't confirm a guess. In return, one in 4096 pairs of different secrets
 * looks the same, and goes without a warning.
 */
export function fingerprintOf(secret: string): string {
  return digest(secret).slice(0, 3);
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
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
