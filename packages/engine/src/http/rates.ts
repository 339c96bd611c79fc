import type { MiddlewareHandler } from "hono";
import type { Clock } from "../rules/clock.ts";
import { EngineError } from "../rules/engine-error.ts";
import type { Env, Service } from "./service.ts";

const SECOND = 1000;
const DAY = 86_400_000;

/** Routes without a limit per second: runs in progress depend on them, to record how they end for example. */
const UNHURRIED =
  /^\/v2\/((publish|enqueue|batch|trigger|notify|wait)(\/|$)|workflows\/(runs\/[^/]+$|append$))/;

/** The state of a limit after a request. */
interface Count {
  readonly prefix: string;
  readonly limit: number;
  /** Below 0 when the request exceeds the limit. */
  readonly left: number;
  /** The time at which the next period begins, in milliseconds since 1970. */
  readonly reset: number;
}

/**
 * Refuses requests above the limits with 429. The headers of every answer say how many requests are left: for
 * the second in `Burst-RateLimit-*`, for the day in `RateLimit-*`, with the Unix time at which the next
 * period begins. A restart resets the counts.
 */
export function limitRates({ clock, limits }: Pick<Service, "clock" | "limits">): MiddlewareHandler<Env> {
  const daily = counter("RateLimit", limits.requestsPerDay, DAY, clock);
  const burst = counter("Burst-RateLimit", limits.requestsPerSecond, SECOND, clock);
  return async (c, next) => {
    const counts = [daily(), UNHURRIED.test(c.req.path) ? undefined : burst()];
    const over = counts.find((count) => count !== undefined && count.left < 0);
    // A refusal has only the headers of the exceeded limit: clients recognize the limit by them.
    for (const count of over ? [over] : counts) {
      if (!count) continue;
      c.header(`${count.prefix}-Limit`, String(count.limit));
      c.header(`${count.prefix}-Remaining`, String(Math.max(0, count.left)));
      c.header(`${count.prefix}-Reset`, String(Math.ceil(count.reset / SECOND)));
    }
    if (over)
      throw new EngineError("rate_limited", `rate limit exceeded: ${over.limit} requests ${nameOf(over)}`);
    await next();
  };
}

function counter(
  prefix: string,
  limit: number | undefined,
  period: number,
  clock: Clock,
): () => Count | undefined {
  if (limit === undefined) return () => undefined;
  let began = 0;
  let taken = 0;
  return () => {
    const now = clock.now();
    const start = now - (now % period);
    if (start !== began) taken = 0;
    began = start;
    taken++;
    return { prefix, limit, left: limit - taken, reset: start + period };
  };
}

function nameOf({ prefix }: Count): string {
  return prefix === "RateLimit" ? "a day" : "a second";
}
