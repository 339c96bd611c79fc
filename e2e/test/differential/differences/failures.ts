import { like, type Row } from "../support/explain.ts";
import { FINAL, UNPUBLISHED } from "./answers.ts";

export const failures: readonly Row[] = [
  {
    id: "failure-function-always-runs",
    scenarios: [
      "failure function/of a workflow that throws before its first step",
      "failure function/of a workflow that returns before its first step",
      "failure function/of a payload that the schema rejects",
      "failure function/of a payload that the parser rejects",
    ],
    differs: [
      ["answer/status", 500, 200],
      ["answer/failed", like({ stack: "<stack>" }), undefined],
      ["answer/result", undefined, like({ json: { response: "own: boom", payload: { a: 1 } } })],
    ],
    reason: "What broke the workflow doesn't keep its failure function from being called (F1).",
  },
  {
    id: "errors-of-the-failure-function",
    scenarios: [
      "failure function/that throws not to be retried",
      "failure function/that throws to be retried later",
    ],
    differs: [
      ["answer/status", 500, 489],
      FINAL,
      ["answer/status", 500, 429],
      ["answer/headers/retry-after", undefined, "300"],
    ],
    reason: "They mean what they mean everywhere (F2).",
  },
  {
    id: "no-steps-in-the-failure-function",
    scenarios: ["failure function/that tries a step"],
    differs: [["answer/failed/error", "WorkflowAbort", "TypeError"], UNPUBLISHED],
    reason:
      "Its context has no steps, also at run time: their work would be done, and never be recorded (F3).",
  },
  {
    id: "fail-response-as-it-came",
    scenarios: [
      "failure/with an empty message",
      "failure/with HTML",
      "failure/with JSON that isn't ours",
      "failure/without a body",
      "failure/without an answer",
    ],
    differs: [
      ["answer/result/json/response", "<message>", /^(|own: <html>bad gateway<\/html>|\{"detail":"no"\})$/],
    ],
    reason: "A body that isn't an error of ours is reported as it is, and not within a sentence (F5).",
  },
  {
    id: "time-is-a-number",
    scenarios: ["failure/with the time as a text"],
    differs: [["answer/result/json/createdAt", "1700000000000", 1_700_000_000_000]],
    reason: "Whichever way an engine writes it.",
  },
  {
    id: "failure-of-no-run",
    scenarios: ["failure/without a run"],
    differs: [
      ["answer/status", 200, 400],
      FINAL,
      ["answer/result", like({ json: { runId: "wfr_test" } }), undefined],
      ["answer/failed", undefined, { error: "WorkflowError", message: "<message>" }],
    ],
    reason: "Engines name the run in a header, where our own engine's signature vouches for it.",
  },
];
