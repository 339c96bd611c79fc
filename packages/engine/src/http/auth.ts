import { createHash, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { fingerprintOf } from "../delivery/keys.ts";
import { EngineError } from "../rules/engine-error.ts";
import type { Access, Env, Tokens } from "./service.ts";

/** Compares tokens in constant time, so that the duration reveals nothing about them. */
export function createLock({ full, readOnly }: Tokens): (token: string) => Access | "none" {
  const [fulls, reads] = [full.map(digest), readOnly.map(digest)];
  return (token) => {
    const shown = digest(token);
    // All digests have the same length, and the engine always compares every digest.
    const among = (digests: readonly Buffer[]): boolean =>
      digests.filter((one) => timingSafeEqual(one, shown)).length > 0;
    const [all, some] = [among(fulls), among(reads)];
    if (all) return "full";
    return some ? "read only" : "none";
  };
}

/** The token of a request: a bearer token, or `?qstash_token=` for senders that can't set headers. */
export function tokenOf(request: Request): string | undefined {
  const bearer = /^Bearer\s+(.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  return bearer ?? new URL(request.url).searchParams.get("qstash_token") ?? undefined;
}

/** Refuses requests without a token that grants the access they need. */
export function requireToken(tokens: Tokens): MiddlewareHandler<Env> {
  const lock = createLock(tokens);
  return async (c, next) => {
    const shown = tokenOf(c.req.raw);
    if (shown === undefined) {
      throw new EngineError("unauthorized", "unauthorized: send the token as Authorization: Bearer <token>");
    }
    const access = lock(shown);
    if (access === "none")
      throw new EngineError("unauthorized", "unauthorized: the token is not this engine's");
    if (access === "read only" && !isRead(c.req.method, c.req.path)) {
      throw new EngineError(
        "forbidden",
        `forbidden: a read-only token may not ${c.req.method} ${c.req.path}`,
      );
    }
    c.set("sender", { access, name: nameOf(shown) });
    await next();
  };
}

/**
 * True for a request that only reads. Getting the signing keys doesn't count as reading, because a client
 * that has them can forge deliveries.
 */
function isRead(method: string, path: string): boolean {
  return (method === "GET" || method === "HEAD") && !path.startsWith("/v2/keys");
}

/** Names a token in the audit log, which the store keeps. */
function nameOf(token: string): string {
  return `token ${fingerprintOf(token)}`;
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
