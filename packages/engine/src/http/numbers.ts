import { z } from "zod";
import type { RunBucket } from "../queries/numbers.ts";
import { invalid } from "../rules/engine-error.ts";
import type { AttemptCount } from "../watch/attempt-counts.ts";
import { DATES } from "./filters.ts";
import { about, positive, urls } from "./parameters.ts";
import { type Output, type Routes, route } from "./route.ts";
import { time } from "./schemas.ts";

const MAX_BUCKETS = 1000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const bucket = z
  .object({
    time: time.meta({ description: "The begin of the bucket." }),
    started: z.int(),
    succeeded: z.int(),
    failed: z.int(),
    canceled: z.int(),
    attempts: z.int().optional().meta({ description: "Attempts of this engine that have ended." }),
    failedAttempts: z.int().optional(),
    maxLag: z.number().optional().meta({ description: "Milliseconds." }),
  })
  .meta({ id: "NumbersBucket" });

/** Route of numbers over time. */
export const numbers = {
  "/v2/workflows/numbers": {
    GET: route({
      summary:
        "Get numbers over time: the runs that have begun and ended, attempts and their delay; and those of this moment",
      query: { ...DATES, bucket: about(positive, "Milliseconds; a minute by default."), workflowUrl: urls },
      answers: {
        200: z
          .object({
            bucket: z.int(),
            buckets: z.array(bucket),
            now: z.object({
              live: z.int(),
              due: z.int(),
              waiting: z.int(),
              held: z.int(),
              deadLetters: z.int(),
              lag: z.int().meta({ description: "Milliseconds." }),
            }),
          })
          .meta({ id: "Numbers" }),
      },
      async handle({ query, now }, { store, attempts }) {
        const { toDate: to = now + 1, bucket: size = MINUTE, workflowUrl: of } = query;
        const { fromDate: from = to - HOUR } = query;
        if ((to - from) / size > MAX_BUCKETS) {
          throw invalid(
            "parameter bucket",
            `the period has more than ${MAX_BUCKETS} buckets: ask for larger ones`,
          );
        }
        const buckets = await store.runNumbers({ from, to, bucket: size, urls: of });
        const counts = of || size % MINUTE !== 0 ? [] : attempts.between(from - (from % size), to);
        return {
          bucket: size,
          buckets: withAttempts(buckets, counts, size),
          now: await store.currentNumbers(),
        };
      },
    }),
  },
} satisfies Routes;

function withAttempts(
  buckets: readonly RunBucket[],
  counts: readonly AttemptCount[],
  size: number,
): Output<typeof bucket>[] {
  return buckets.map((one) => {
    const own = counts.filter(({ time: at }) => at >= one.time && at < one.time + size);
    if (own.length === 0) return one;
    return {
      ...one,
      attempts: own.reduce((sum, { attempts }) => sum + attempts, 0),
      failedAttempts: own.reduce((sum, { failedAttempts }) => sum + failedAttempts, 0),
      maxLag: Math.max(...own.map(({ maxLag }) => maxLag)),
    };
  });
}
