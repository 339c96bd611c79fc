import { type Differing, like, type Row } from "../support/explain.ts";

/** Upstream has done something, with an answer of 200; ours refuses. */
export const refused = (status: number, error = "WorkflowError"): Differing[] => [
  ["answer/status", 200, status],
  ["answer/done", like({ finishCondition: "success" }), undefined],
  ["answer/failed", undefined, { error, message: "<message>" }],
];

/** Upstream's attempt has failed, with an answer of 500; ours has succeeded. */
export const done = (finishCondition: string): Differing[] => [
  ["answer/status", 500, 200],
  ["answer/failed", like({ stack: "<stack>" }), undefined],
  ["answer/done", undefined, { workflowRunId: "wfr_test", finishCondition }],
];

export const FINAL: Differing = ["answer/headers/upstash-nonretryable-error", undefined, "true"];

/** Upstream has published something, and ours hasn't. */
export const UNPUBLISHED: Differing = ["sent/*", like({ method: "POST", path: "/v2/batch" }), undefined];

export const answers: readonly Row[] = [
  {
    id: "answers-are-json",
    scenarios: ["*"],
    differs: [["answer/headers/content-type", "text/plain;charset=UTF-8", "application/json"]],
    reason: "They are JSON, and say so.",
  },
  {
    id: "sdk-version",
    scenarios: ["*"],
    differs: [["answer/headers/upstash-workflow-sdk", "v1.3.2", "v1.3.3"]],
    reason:
      "Engines look at it: ours names the version that it agrees with; upstream's has been left behind.",
  },
  {
    id: "sdk-version-of-errors",
    scenarios: ["*"],
    differs: [["answer/headers/upstash-workflow-sdk", undefined, "v1.3.3"]],
    reason: "An error is an answer of the same endpoint.",
  },
  {
    id: "no-stack-for-strangers",
    scenarios: ["*"],
    differs: [["answer/failed/stack", "<stack>", undefined]],
    reason: "Where nothing tells who calls, nobody is shown the inside of the code (S4).",
  },
  {
    id: "errors-say-where",
    scenarios: ["*"],
    differs: [["answer/place", undefined, like({})]],
    reason:
      "The failure function is told in which step a run has failed, or where beside one, and by which cause.",
  },
  {
    id: "steps-that-the-engine-refuses",
    scenarios: [
      "result of run/that*",
      "invoke/of a workflow that isn't served*",
      "engine answers/*",
      "engine is/*",
    ],
    differs: [["answer/headers/upstash-error-step-name", undefined, /./]],
    reason: "A step that can't be recorded, asked for or read has failed, and is named.",
  },
  {
    id: "malformed-body",
    scenarios: [
      "first delivery/with a body that isn't JSON",
      "first delivery/with a body that isn't a list",
      "first delivery/with an empty list",
      "first delivery/with an entry that isn't base64",
      "answer to a call/that doesn't say which step",
      "answer to a call/that isn't JSON itself",
      "failure/that isn't JSON",
    ],
    differs: [
      ["answer/status", 500, 400],
      FINAL,
      ["answer/failed/error", /^(Syntax|Type|InvalidCharacter)Error$/, "WorkflowError"],
    ],
    reason: "The same bytes can't be read better another time: not an attempt that failed, and not retried.",
  },
  {
    id: "headers-that-say-too-little",
    scenarios: ["first delivery/without a run", "start of an unknown SDK's run/without a run"],
    differs: [["answer/status", 500, 400], FINAL],
    reason: "The same request can't be understood better another time.",
  },
  {
    id: "another-version",
    scenarios: ["first delivery/of another version of*"],
    differs: [["answer/status", 500, 400]],
    reason: "It is the request that can't be understood; a later deployment of the endpoint may.",
  },
  {
    id: "history-without-the-entry",
    scenarios: ["history to be fetched/without the delivered entry"],
    differs: [["answer/failed/error", "TypeError", "WorkflowError"]],
    reason: "It is the engine that isn't there yet, and the error says so. The delivery is retried.",
  },
  {
    id: "not-a-post",
    scenarios: ["first delivery/with a method that isn't POST"],
    differs: [...refused(405), ["answer/headers/allow", undefined, "POST"], UNPUBLISHED],
    reason: "Deliveries are POST requests; upstream leaves the check to some of its adapters.",
  },
  {
    id: "bad-signature",
    scenarios: [
      "signature/by another key",
      "signature/that isn't there",
      "middleware hears/of a request without a signature",
      "signature/that isn't one",
      "signature/over another body",
      "signature/of a start that isn't there",
      "signature/of an answer to a call that isn't there",
      "signature/of a failure that isn't there",
      "door/with a receiver that disagrees",
      "door/with a receiver, and no signature",
    ],
    differs: [["answer/status", 500, 401]],
    reason: "It is the caller who is at fault, and not the endpoint (S1).",
  },
  {
    id: "signature-of-another-url",
    scenarios: ["signature/for another URL"],
    differs: [...refused(401), UNPUBLISHED],
    reason: "A signed delivery to one endpoint can't be sent to another one (S1).",
  },
  {
    id: "no-check-at-all",
    scenarios: ["door/without keys"],
    differs: [...refused(401), UNPUBLISHED],
    reason: 'An open door has to be written down, as verify: "off".',
  },
  {
    id: "unknown-region",
    scenarios: ["region/that doesn't exist"],
    differs: [...refused(401), UNPUBLISHED],
    reason: "The keys and the token of the default region aren't those of another one.",
  },
  {
    id: "one-key-of-two",
    scenarios: ["door/with one key of two"],
    differs: [...refused(500), UNPUBLISHED],
    reason:
      "With one key upstream silently checks nothing. What is wrong, the console says, and not a stranger's answer.",
  },
  {
    id: "misuse-is-a-type-error",
    scenarios: [
      "run/a name that is empty",
      "run/a name that isn't a text",
      "call/without a URL",
      "waitForEvent/for an empty id",
    ],
    differs: [["answer/failed/error", "WorkflowError", "TypeError"]],
    reason: "A TypeError is a mistake in the code, a WorkflowError one of the world.",
  },
  {
    id: "misuse-of-notify",
    scenarios: ["notify/for an empty id", "notify/to a run without an id"],
    differs: [
      ["answer/failed/error", "QstashError", "TypeError"],
      ["answer/headers/upstash-error-step-name", "tell", undefined],
    ],
    reason: "As above; and it is told when the step is asked for, before anything of it is done.",
  },
  {
    id: "misuse-of-flow-control",
    scenarios: ["call/a flow control key that isn't one"],
    differs: [
      ["answer/status", 489, 500],
      ["answer/headers/upstash-nonretryable-error", "true", undefined],
      ["answer/failed/error", "WorkflowNonRetryableError", "TypeError"],
    ],
    reason: "As above; it is retried like every error that nobody has called final.",
  },
  {
    id: "engine-errors",
    scenarios: [
      "start/refused by the engine",
      "end/that the engine can't record",
      "history to be fetched/that can't be had",
      "engine answers/429",
      "engine answers/500*",
      "engine is/nowhere",
    ],
    differs: [["answer/failed/error", /^(Qstash|QstashRatelimit|Type)Error$/, "WorkflowError"]],
    reason: "What the engine refuses, or doesn't answer, is a WorkflowError with a code.",
  },
  {
    id: "quota-errors",
    scenarios: ["engine answers/412*"],
    differs: [["answer/failed/error", "WorkflowNonRetryableError", "WorkflowError"]],
    reason: "Not retried either; its code tells it from an error that user code has thrown.",
  },
  {
    id: "thrown-texts-and-objects",
    scenarios: ["error in a step/that is *", "error between steps/that is *"],
    differs: [
      ["answer/failed/message", "<message>", /^(own: boom|\{"own":"boom"\})$/],
      ["answer/failed/error", "TypeError", "Error"],
    ],
    reason: "What is thrown is left as it is (F7), also when it is nothing at all.",
  },
  {
    id: "errors-of-a-group",
    scenarios: ["group of two runs/whose member fails"],
    differs: [
      ["answer/failed/error", "WorkflowError", "RangeError"],
      ["answer/failed/message", "<message>", "own: boom"],
    ],
    reason: "A member's error reaches the failure function like any other step's (F8).",
  },
  {
    id: "step-name-of-every-error",
    scenarios: [
      "run/a result that *",
      "middleware hears/of an error that isn't to be retried",
      "error in a step/*",
      "group of two runs/whose member fails for good",
      "webhook/made with a token that doesn't say whose it is",
    ],
    differs: [["answer/headers/upstash-error-step-name", undefined, /^(one|a|make)$/]],
    reason: "Upstream names the step only for errors that are retried at once, and that are objects.",
  },
  {
    id: "step-names-in-any-script",
    scenarios: ["error in a step/in a step with a name in *"],
    differs: [
      ["answer/headers/upstash-error-step-name", "één", "%C3%A9%C3%A9n"],
      [
        "answer",
        "the handler rejects",
        like({ status: 500, failed: { error: "Error", message: "own: boom" } }),
      ],
    ],
    reason:
      "A header's value is ASCII; a name that isn't is percent-encoded, and doesn't end in a crash (F6).",
  },
  {
    id: "retry-after-in-seconds",
    scenarios: [
      "error in a step/to be retried after part of a second",
      "error in a step/to be retried after minutes",
      "error in a step/to be retried after days",
      "error between steps/to be retried after minutes",
    ],
    differs: [["answer/headers/retry-after", /^(1\.2|5m|1d)$/, /^(2|300|86400)$/]],
    reason: "Whole seconds are what every engine reads (R10).",
  },
  {
    id: "a-rest-never-ends-early",
    scenarios: ["sleep/until a date", "sleep/until a Unix time with a fraction"],
    differs: [
      ["sent/*/messages/*/body/sleepUntil", 1_900_000_001, 1_900_000_000.6],
      ["sent/*/messages/*/headers/upstash-not-before", "1900000000", "1900000001"],
    ],
    reason: "A moment is recorded as it is, and rounded up where an engine counts whole seconds.",
  },
];
