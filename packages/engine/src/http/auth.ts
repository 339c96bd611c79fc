import { createHash, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { Problem } from "../domain/problem.ts";
import type { Env } from "./service.ts";

/** Lets through who shows the token: as a bearer, or as `?qstash_token=` for senders that can't set headers. */
export function requireToken(token: string): MiddlewareHandler<Env> {
  const wanted = digest(token);
  return async (c, next) => {
    const shown = bearer(c.req.header("authorization")) ?? c.req.query("qstash_token");
    if (shown === undefined) {
      throw new Problem(401, "unauthorized: send the token as Authorization: Bearer <token>");
    }
    // Digests have one length, so the time that comparing takes tells nothing.
    if (!timingSafeEqual(wanted, digest(shown)))
      throw new Problem(401, "unauthorized: the token is not this engine's");
    await next();
  };
}

function bearer(header: string | undefined): string | undefined {
  return header === undefined ? undefined : /^Bearer\s+(.+)$/i.exec(header)?.[1];
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
