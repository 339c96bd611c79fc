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
  begin(session: Session, secure: boolean): string;
  /** The value of a `Set-Cookie` header that ends the session. */
  end(secure: boolean): string;
  /** The session of a request; undefined without one, and for an expired or forged one. */
  of(request: Request): Session | undefined;
}

/** A user who is logged in. */
export interface Session {
  readonly token: string;
  /** The name that the user has given. */
  readonly name: string | undefined;
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
    begin: ({ token, name = "" }, secure) => {
      const text = `${now() + SESSION_MS}:${encodeURIComponent(name)}:${token}`;
      return cookie(seal(key, text), Math.floor(SESSION_MS / 1000), secure);
    },
    end: (secure) => cookie("", 0, secure),
    of(request) {
      const sealed = cookieOf(request);
      const opened = sealed === undefined ? undefined : open(key, sealed);
      const [, end, name = "", token] = /^(\d+):([^:]*):(.+)$/s.exec(opened ?? "") ?? [];
      if (token === undefined || Number(end) <= now()) return undefined;
      return { token, name: decodeURIComponent(name) || undefined };
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
