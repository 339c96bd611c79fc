import { like, type Row } from "../support/explain.ts";

export const client: readonly Row[] = [
  {
    id: "deduplicated",
    scenarios: ["trigger/*", "trigger refused/a live run's id"],
    differs: [
      ["outcome/returned/deduplicated", undefined, false],
      ["outcome/returned/*/deduplicated", undefined, false],
      ["outcome/returned/deduplicated", undefined, true],
    ],
    reason: "Who triggers is told whether a run was started, or one of that id was live.",
  },
  {
    id: "trigger-id",
    scenarios: ["trigger/*", "trigger refused/*"],
    differs: [["sent/*/messages/*/headers/perdure-trigger-id", undefined, /^[\w-]{21}$/]],
    reason: "A trigger that is sent again, since its answer got lost, finds the run that it has started.",
  },
  {
    id: "the-usual-retries",
    scenarios: ["trigger/as many retries as usual", "invoke/with as many retries as usual"],
    differs: [
      ["sent/*/messages/*/headers/upstash-retries", undefined, "3"],
      ["sent/*/messages/*/headers/upstash-failure-callback-retries", undefined, "3"],
    ],
    reason:
      "Retries that are asked for win over those beside the workflow, also when they are the engine's default.",
  },
  {
    id: "misuse-of-the-client",
    scenarios: [
      "trigger refused/a label with a blank",
      "trigger refused/a flow control key with a blank",
      "trigger refused/flow control without a limit",
      "cancel/*",
      "client notifies/of an empty id",
      "client asks who waits/for an empty id",
      "client asks for logs/by an empty list",
      "dead letters/by an empty list",
      "resume/an empty id",
      "restart/an empty id",
      "delete/nothing",
      "retry of a failure function/without an id",
    ],
    differs: [["outcome/thrown", /^(Qstash|QstashEmptyArray|WorkflowNonRetryable)Error$/, "TypeError"]],
    reason: "A mistake in the code is a TypeError.",
  },
  {
    id: "engine-errors-of-the-client",
    scenarios: [
      "trigger refused/by the engine*",
      "cancel/that the engine refuses",
      "retry of a failure function/that the engine refuses",
    ],
    differs: [["outcome/thrown", /^Qstash(Ratelimit)?Error$/, "WorkflowError"]],
    reason: "What the engine refuses is a WorkflowError with a code; what it was made from is its cause.",
  },
  {
    id: "checked-before-it-is-sent",
    scenarios: [
      "trigger refused/negative retries",
      "trigger refused/a URL without a scheme",
      "trigger refused/an empty id",
    ],
    differs: [
      ["outcome/returned", like({}), undefined],
      ["outcome/thrown", undefined, "TypeError"],
      ["sent/0", like({ method: "POST", path: "/v2/batch" }), undefined],
    ],
    reason: "What no engine can obey isn't sent.",
  },
  {
    id: "empty-lists",
    scenarios: ["trigger/none", "trigger/no labels", "cancel/an empty list by its name"],
    differs: [
      ["outcome/thrown", /Error$/, undefined],
      ["outcome/returned", undefined, []],
      ["outcome/returned", undefined, { cancelled: 0 }],
      ["outcome/returned", undefined, { workflowRunId: "<wfr 1>", deduplicated: false }],
      ["sent/0", undefined, like({ path: "/v2/batch" })],
    ],
    reason: "Nothing to trigger, to label or to cancel is no mistake.",
  },
  {
    id: "empty-filters",
    scenarios: ["cancel/by an empty filter", "resume/by an empty filter", "restart/by an empty filter"],
    differs: [
      ["outcome/returned", like({}), undefined],
      ["outcome/thrown", undefined, "TypeError"],
      ["sent/0", like({ query: { count: ["100"] } }), undefined],
    ],
    reason: "Upstream takes every run then; whoever means that says { all: true }.",
  },
  {
    id: "selections-from-before-1.2.1",
    scenarios: [
      "cancel/by the ids that were used before 1.2.1",
      "cancel/by the URL that was used before 1.2.1",
      "resume/as before 1.2.1",
      "resume/several as before 1.2.1",
      "restart/as before 1.2.1",
      "restart/several as before 1.2.1",
    ],
    differs: [
      ["outcome/returned", like({}), undefined],
      ["outcome/thrown", undefined, "TypeError"],
      ["sent/0", like({}), undefined],
    ],
    reason: "Upstream has deprecated them; the error says what to write instead.",
  },
  {
    id: "one-notified-in-a-list",
    scenarios: ["client notifies/a run, and gets an answer that isn't a list"],
    differs: [["outcome/returned", like({ messageId: "msg_1" }), like([{ messageId: "msg_1" }])]],
    reason:
      "Engines answer with one object or with a list of one; it is always a list here, as the type says.",
  },
  {
    id: "last-page-of-logs",
    scenarios: ["client asks for logs/that end"],
    differs: [["outcome/returned/cursor", "", undefined]],
    reason: "Without a cursor a page is the last one: here as for dead letters.",
  },
];
