import { type Differing, like, type Row } from "../support/explain.ts";
import { done, FINAL, refused, UNPUBLISHED } from "./answers.ts";

const HISTORY = like({ method: "GET", path: "/v2/workflows/runs/wfr_test" });
const END = like({ method: "DELETE", path: "/v2/workflows/runs/wfr_test" });

/** Ours asks whether the run is over. */
const ASKS: Differing = ["sent/*", undefined, HISTORY];

/** Upstream's dry run returns before a step, and so the endpoint refuses. */
const notReturned: Differing[] = [
  ["answer/status", 400, 200],
  ["answer/failed", { workflowRunId: "wfr_test", message: "<message>" }, undefined],
  ["answer/done", undefined, { workflowRunId: "wfr_test", finishCondition: "success" }],
];

export const runs: readonly Row[] = [
  {
    id: "no-dry-run",
    scenarios: ["run/code before and between the steps"],
    differs: [
      [
        "noted",
        ["before", "before", "in the step", "before", "before", "after"],
        ["before", "in the step", "before", "after"],
      ],
    ],
    reason: "User code is never run as a probe (R9).",
  },
  {
    id: "nothing-is-thrown-to-pause",
    scenarios: [
      "run/a step that is caught",
      "run/a step that isn't on record yet, caught",
      "group of another form/allSettled",
      "group of another form/that is caught",
    ],
    differs: [
      ["noted", [true, "finally", "finally"], ["finally"]],
      ["noted", ["caught"], []],
      ["sent/1", END, undefined],
      ...notReturned,
      ["sent/0", undefined, like({ method: "POST", path: "/v2/batch" })],
      ["sent/0", undefined, END],
    ],
    reason:
      "try, catch and finally see results and errors; a caught pause ends a run with a step in flight (R4).",
  },
  {
    id: "winner-of-a-race",
    scenarios: ["group of another form/a race"],
    differs: [["sent/0/body", '"A"', '"B"']],
    reason: "The first that was recorded has won, and not the first in the list (R5).",
  },
  {
    id: "nested-steps",
    scenarios: ["run/a step in a step"],
    differs: [...refused(500), ["answer/headers/upstash-error-step-name", undefined, "outer"], UNPUBLISHED],
    reason: "A step can't contain another one: also when the inner one's error is swallowed.",
  },
  {
    id: "no-first-step",
    scenarios: ["end/before the first step"],
    differs: [...notReturned, ["sent/0", undefined, END]],
    reason: "A path without steps is legitimate; whoever may not come in is told so by `authorize` (R9).",
  },
  {
    id: "ended-twice",
    scenarios: ["end/that the engine knows already", "end/by cancelling what has ended"],
    differs: done("workflow-already-ended"),
    reason: "A run whose end was recorded, and whose answer got lost, has ended (R12).",
  },
  {
    id: "results-that-json-cannot-carry",
    scenarios: [
      "run/a result that JSON can't carry",
      "run/a result that holds itself",
      "end/with a result that JSON can't carry",
    ],
    differs: [["answer/status", 500, 489], FINAL, ["answer/failed/error", "TypeError", "WorkflowError"]],
    reason: "It would fail again, and do the step's work again each time.",
  },
  {
    id: "payload-that-the-schema-rejects",
    scenarios: ["payload/that the schema rejects"],
    differs: [["answer/status", 500, 489], FINAL, ["answer/failed/error", "ZodError", "WorkflowError"]],
    reason: "It will be the same payload next time.",
  },
  {
    id: "payload-past-the-schema",
    scenarios: ["payload/that isn't JSON, with a schema", "payload/that is empty, with a schema"],
    differs: [...refused(489), FINAL, UNPUBLISHED],
    reason:
      "Upstream doesn't show the schema a payload that isn't JSON; the workflow then gets what it doesn't expect.",
  },
  {
    id: "moments-and-durations",
    scenarios: ["sleep/for a duration that isn't one", "sleep/until what isn't a date"],
    differs: [...refused(500, "TypeError"), UNPUBLISHED],
    reason: "The engine would refuse it, and the run would stall (R7).",
  },
  {
    id: "records-that-are-not-json",
    scenarios: ["result of run/that isn't JSON", "result of run/that is empty"],
    differs: [...refused(489), FINAL, ["sent/0", END, undefined]],
    reason: "No SDK records such a result: something is wrong, and the workflow isn't to go on with it.",
  },
  {
    id: "refused-because-it-has-ended",
    scenarios: [
      "engine answers/400, because the run has ended",
      "engine answers/400 to a group",
      "engine answers/400 to a member of a group",
      "waitForEvent/in a run that has ended",
      "invoke/by a run that has ended",
      "middleware hears/of a run that has ended",
    ],
    differs: [ASKS, ["answer/done/finishCondition", "success", "workflow-already-ended"]],
    reason: "A refusal with 400 may have two reasons, and only the engine knows: so it is asked (R7).",
  },
  {
    id: "refused-though-it-is-live",
    scenarios: [
      "engine answers/400, though the run is live",
      "engine answers/400 to a call",
      "engine answers/400 to a wait",
    ],
    differs: [...refused(489), FINAL, ASKS],
    reason: "Upstream takes it for the end of the run, which then stalls; ours fails the run (R7).",
  },
  {
    id: "notify-that-is-refused",
    scenarios: ["notify/that the engine refuses"],
    differs: [...refused(489), FINAL, ["answer/headers/upstash-error-step-name", undefined, "tell"]],
    reason: "As above: nobody was notified, so the step has failed, and would fail again (R7).",
  },
  {
    id: "no-token",
    scenarios: ["engine is/unknown, for want of a token"],
    differs: [...refused(500), UNPUBLISHED],
    reason: "It is said what is missing, instead of asking the engine without a token.",
  },
  {
    id: "blanks-around-labels",
    scenarios: ["context/with labels and blanks"],
    differs: [["sent/*/messages/*/body/out/json/labels/1", " two", "two"]],
    reason: "A list in a header may have blanks after its commas.",
  },
  {
    id: "signature-is-not-shown",
    scenarios: ["context/with a signature"],
    differs: [["sent/*/messages/*/body/out/json/headers/upstash-signature", "own", undefined]],
    reason: "Within its five minutes it is a key to the endpoint, and headers get logged.",
  },
  {
    id: "less-info",
    scenarios: ["middleware hears/of what goes well"],
    differs: [["noted", ["onInfo", "onInfo", "onInfo", "onInfo"], ["onInfo"]]],
    reason: "What the other events tell already isn't told again by onInfo.",
  },
  {
    id: "no-warning-of-what-is-usual",
    scenarios: ["middleware hears/of a delivery that comes twice"],
    differs: [["noted", ["onWarning"], []]],
    reason: "Engines deliver at least once: there is nothing to be warned of.",
  },
  {
    id: "every-failed-attempt-is-an-error",
    scenarios: ["middleware hears/of an error that isn't to be retried"],
    differs: [["noted", [], ["onError"]]],
    reason: "Also one that ends the run, or that is to be retried later.",
  },
  {
    id: "strangers-are-no-error",
    scenarios: ["middleware hears/of a request without a signature"],
    differs: [["noted", ["onError"], []]],
    reason: "Anybody can send such requests; no run has anything to do with them.",
  },
  {
    id: "url-that-was-called",
    scenarios: ["signature/for another host"],
    differs: [
      [
        "sent/*/messages/*/destination",
        "https://app.example.com/api/wf",
        "https://internal.example.com/api/wf",
      ],
      [
        "sent/*/messages/*/headers/upstash-workflow-url",
        "https://app.example.com/api/wf",
        "https://internal.example.com/api/wf",
      ],
    ],
    reason: "A verified token says under which URL the engine has reached the endpoint.",
  },
];
