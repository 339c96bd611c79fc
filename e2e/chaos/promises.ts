/** The promises that the checker holds a history to, by their numbers in docs/guarantees.md, with their titles there. */
export const PROMISES = {
  1: "What was acknowledged isn't lost",
  2: "One id, one run",
  3: "Every run ends, once",
  4: "A run ends as its code says",
  5: "A recorded result never changes",
  6: "A result comes from somewhere",
  7: "The failure function of a failed run is on record",
  8: "A failed run is rolled back",
  9: "An acknowledged cancellation counts",
  10: "An acknowledged event arrives",
  11: "A step invokes one child run",
  12: "A step keeps its idempotency key",
  13: "At most once means at most once",
  14: "A queue keeps its order and its width",
  15: "Flow control holds for all engines",
  16: "A schedule ticks once",
} as const;

export type PromiseNumber = keyof typeof PROMISES;
