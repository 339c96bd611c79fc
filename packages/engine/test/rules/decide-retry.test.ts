import { describe, expect, it } from "vitest";
import { allowedRetries, decideRetry, type RetryCounts, type RetryFacts } from "../../src/rules/retry.ts";

const AT = Date.UTC(2030, 0, 1);
const FIRST: RetryFacts = {
  at: AT,
  retried: 0,
  retries: 3,
  final: false,
  retryDelay: "1000 * (1 + retried)",
};

/** Milliseconds until the next attempt; `undefined` when there is none. */
function waitOf(facts: Partial<RetryFacts>): number | undefined {
  const decision = decideRetry({ ...FIRST, ...facts });
  return decision.kind === "retry" ? decision.at - AT : undefined;
}

describe("after a failed attempt", () => {
  it.each<[string, Partial<RetryFacts>, number | undefined]>([
    ["the expression says when", {}, 1000],
    ["the expression counts the retries", { retried: 2 }, 3000],
    ["the engine's backoff says when without one", { retryDelay: undefined }, 12_000],
    ["the answer's wait wins over the expression", { headers: { "retry-after": ["7"] } }, 7000],
    ["the step's wait wins over the answer's", { wait: 5, headers: { "retry-after": ["7"] } }, 5],
    ["no wait at all is one", { wait: 0 }, 0],
    ["the last retry is made", { retried: 2, retries: 3 }, 3000],
    ["no retry is left", { retried: 3, retries: 3 }, undefined],
    ["the step asks for fewer than were made", { retried: 2, retries: 1 }, undefined],
    ["none was ever allowed", { retries: 0 }, undefined],
    ["another attempt would not help", { final: true }, undefined],
    ["another attempt would not help, whatever wait is asked for", { final: true, wait: 5 }, undefined],
  ])("%s", (_, facts, wait) => expect(waitOf(facts)).toBe(wait));

  it("the report that waits goes out when the endpoint may not have received the request", () => {
    expect(decideRetry({ ...FIRST, unheard: true })).toMatchObject({ kind: "retry", alarm: true });
    expect(decideRetry({ ...FIRST, unheard: false })).toMatchObject({ kind: "retry", alarm: false });
    expect(decideRetry({ ...FIRST, unheard: true, final: true })).toEqual({ kind: "give up" });
  });
});

describe("the retries of a message", () => {
  const OWN: RetryCounts = { asked: undefined, own: 1, most: 20, least: 0 };

  it.each<[string, Partial<RetryCounts>, number]>([
    ["are its own", {}, 1],
    ["are those that its step asks for", { asked: 5 }, 5],
    ["are fewer where its step asks for fewer", { asked: 0 }, 0],
    ["stay within the engine's limit, when its step asks for more", { asked: 999 }, 20],
    ["are the least that it is owed", { least: 3 }, 3],
    ["are its own, where these are more than it is owed", { own: 7, least: 3 }, 7],
    ["are those that its step asks for, whatever it is owed", { asked: 1, least: 3 }, 1],
  ])("%s", (_, counts, retries) => expect(allowedRetries({ ...OWN, ...counts })).toBe(retries));
});
