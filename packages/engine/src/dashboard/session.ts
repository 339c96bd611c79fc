import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

/** Milliseconds after which a user logs in again. */
export const SESSION_MS = 12 * 3_600_000;

const COOKIE = "perdure_session";
const CIPHER = "aes-256-gcm";
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** Browsers refuse longer cookies. */
const MAX_COOKIE = 4096;

/**
 * Sessions without a table: a cookie holds the engine's token, encrypted and authenticated, with the end of
 * the session. So a session survives a restart, every engine with the same secret accepts it, and the engine
 * checks the token on each request.
 */
export interface Sessions {
  /** The value of a `Set-Cookie` header that begins a session. */
  begin(token: string, secure: boolean): string;
  /** The value of a `Set-Cookie` header that ends the session. */
  end(secure: boolean): string;
  /** The token of a request's session; undefined without one, and for an expired or forged one. */
  tokenOf(request: Request): string | undefined;
}

export interface SessionOptions {
  /** The path that the browser sends the cookie to. */
  readonly path: string;
  readonly secret: string | Uint8Array;
  readonly now: () => number;
}

export function createSessions({ path, secret, now }: SessionOptions): Sessions {
  const key = Buffer.from(hkdfSync("sha256", secret, "", "perdure dashboard session", 32));
  const cookie = (value: string, maxAge: number, secure: boolean): string =>
    `${COOKIE}=${value}; Path=${path}; Max-Age=${maxAge}; HttpOnly; SameSite=Strict${secure ? "; Secure" : ""}`;
  return {
    begin: (token, secure) =>
      cookie(seal(key, `${now() + SESSION_MS}:${token}`), Math.floor(SESSION_MS / 1000), secure),
    end: (secure) => cookie("", 0, secure),
    tokenOf(request) {
      const sealed = cookieOf(request);
      const opened = sealed === undefined ? undefined : open(key, sealed);
      const [, end, token] = /^(\d+):(.+)$/s.exec(opened ?? "") ?? [];
      return token !== undefined && Number(end) > now() ? token : undefined;
    },
  };
}

function seal(key: Buffer, text: string): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv);
  const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), body]).toString("base64url");
}

/** @returns undefined for a value that this key hasn't sealed */
function open(key: Buffer, sealed: string): string | undefined {
  const bytes = Buffer.from(sealed, "base64url");
  if (bytes.length <= IV_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  try {
    return decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES), undefined, "utf8") + decipher.final("utf8");
  } catch {
    return undefined; // Forged, or sealed under another secret.
  }
}

function cookieOf({ headers }: Request): string | undefined {
  const cookies = headers.get("cookie") ?? "";
  const found = cookies
    .split(";")
    .map((one) => one.trim())
    .find((one) => one.startsWith(`${COOKIE}=`));
  const value = found?.slice(COOKIE.length + 1);
  return value && value.length <= MAX_COOKIE ? value : undefined;
}
