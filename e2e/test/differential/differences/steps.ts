import { type Differing, like, type Row } from "../support/explain.ts";
import { done, refused, UNPUBLISHED } from "./answers.ts";

const PUBLISHES = like({ method: "POST", path: "/v2/batch" });
const FETCHES = like({ method: "GET", path: "/v2/workflows/runs/wfr_test" });

const header = (name: string, upstream: Differing[1], ours: Differing[2]): Differing => [
  `sent/*/messages/*/headers/${name}`,
  upstream,
  ours,
];
const inResult = (place: string, upstream: Differing[1], ours: Differing[2]): Differing => [
  `sent/*/messages/*/body/out/json/${place}`,
  upstream,
  ours,
];

const WAITING = [
  "waitForEvent/*",
  "webhook/waited for*",
  "group of all kinds/its waitFor*",
  "engine answers/* to a wait",
  "options/headers of the endpoint's client, in a wait",
];

const telemetry: readonly Row[] = [
  {
    id: "no-framework",
    scenarios: ["*"],
    differs: [header("upstash-telemetry-framework", "<telemetry>", undefined)],
    reason: "Core doesn't know which framework it is served by, and nobody needs to.",
  },
  {
    id: "telemetry-of-waits-and-children",
    scenarios: [...WAITING, "invoke/*"],
    differs: ["sdk", "framework", "runtime"].flatMap((name): Differing[] => {
      const spelled = `Upstash-Telemetry-${name.replace(/^./, (first) => first.toUpperCase())}`;
      return [
        [`sent/*/headers/upstash-telemetry-${name}`, "<telemetry>", undefined],
        [`sent/*/body/timeoutHeaders/${spelled}`, "<telemetry>", undefined],
        [`sent/*/messages/*/body/headers/${spelled}`, "<telemetry>", undefined],
      ];
    }),
    reason: "It is told once with each message, and not again in what the message holds.",
  },
  {
    id: "telemetry-off-is-off",
    scenarios: ["options/no telemetry of the workflow's", "trigger/no telemetry"],
    differs: [
      header("upstash-telemetry-sdk", "<telemetry>", undefined),
      header("upstash-telemetry-runtime", "<telemetry>", undefined),
    ],
    reason: "disableTelemetry leaves out the telemetry of the client underneath as well.",
  },
];

const messages: readonly Row[] = [
  {
    id: "the-client-is-passed",
    scenarios: ["context/with the client"],
    differs: [
      ...refused(500, "TypeError"),
      ["answer/headers/upstash-error-step-name", undefined, "client"],
      UNPUBLISHED,
    ],
    reason: "Who doesn't use it doesn't carry it: `qstashClient: qstash` brings it.",
  },
  {
    id: "one-way-to-publish",
    scenarios: ["answer to a call/*", "signature/of an answer to a call", "invoke/*"],
    differs: [
      ["sent/*/path", "/v2/publish", "/v2/batch"],
      ["sent/*/headers/content-type", undefined, "application/json"],
    ],
    reason: "Everything is published by batch: headers needn't be ASCII there, and one answer has one shape.",
  },
  {
    id: "spelling-within-bodies",
    scenarios: [...WAITING, "invoke/*"],
    differs: ["timeoutHeaders", "headers"].flatMap((list): Differing[] => {
      const place = list === "headers" ? "sent/*/messages/*/body/headers" : `sent/*/body/${list}`;
      return [
        [`${place}/content-type`, ["application/json"], undefined],
        [`${place}/Content-Type`, undefined, ["application/json"]],
      ];
    }),
    reason: "Header names are spelled alike everywhere.",
  },
  {
    id: "invoke-count-of-calls",
    scenarios: ["call/in an invoked run"],
    differs: [header("upstash-forward-upstash-workflow-invoke-count", "2", undefined)],
    reason: "It is nothing that a third party should see (C8).",
  },
  {
    id: "timeout-with-its-unit",
    scenarios: ["call/a timeout in seconds"],
    differs: [header("upstash-timeout", "30", "30s")],
    reason: "As the client of QStash writes it (C6).",
  },
  {
    id: "names-of-calls",
    scenarios: ["call/a name in latin-1", "call/a name in another script"],
    differs: [
      header("upstash-callback-forward-upstash-workflow-stepname", "één", "%C3%A9%C3%A9n"),
      ...done("success"),
      ["sent/0", undefined, PUBLISHES],
    ],
    reason: "A name travels in a header: what isn't ASCII is percent-encoded, and works (C5).",
  },
  {
    id: "settings-of-apis",
    scenarios: ["call of an API/*"],
    differs: [
      header("upstash-flow-control-key", undefined, "k"),
      header("upstash-flow-control-value", undefined, "parallelism=1"),
      header("upstash-forward-openai-organization", undefined, "org"),
      header("upstash-forward-content-type", undefined, "application/json"),
    ],
    reason: "What is asked for is sent (C3), and every provider is told that it gets JSON.",
  },
  {
    id: "labels-of-children",
    scenarios: ["invoke/with every setting"],
    differs: [header("upstash-failure-callback-forward-upstash-label", undefined, "one,two")],
    reason: "A child's failure function knows the labels, as every other run's does.",
  },
  {
    id: "query-of-the-parent",
    scenarios: ["invoke/by a run with a query"],
    differs: [
      ["sent/*/messages/*/destination", "https://app.example.com/api/child", /\?x=1$/],
      header("upstash-workflow-url", "https://app.example.com/api/child", /\?x=1$/),
      header("upstash-failure-callback", "https://app.example.com/api/child", /\?x=1$/),
      header("upstash-failure-callback-workflow-url", "https://app.example.com/api/child", /\?x=1$/),
    ],
    reason: "What the endpoint is reached with holds for its children: a query may be what lets them in.",
  },
  {
    id: "ids-are-encoded",
    scenarios: ["* other characters"],
    differs: [
      ["sent/0/path", /^\/v2\/(wait|notify|waiters)\/order\/1%20x$/, /\/order%2F1%20x%3Fy/],
      ["sent/0/query/y", [""], undefined],
    ],
    reason: "An id is one segment of a path: its slash or question mark isn't the path's (R11).",
  },
  {
    id: "one-answer-in-a-list",
    scenarios: ["notify/to a run, with an answer that isn't a list"],
    differs: [inResult("notifyResponse", like({ messageId: "msg_1" }), like([{ messageId: "msg_1" }]))],
    reason:
      "Engines answer with one object or with a list of one; it is always a list here, as the type says.",
  },
];

const results: readonly Row[] = [
  {
    id: "run-of-a-call-answer",
    scenarios: ["answer to a call/*", "signature/of an answer to a call"],
    differs: [["answer/done/workflowRunId", "<wfr 1>", "wfr_test"]],
    reason: "Upstream answers with the id of a run that doesn't exist.",
  },
  {
    id: "answer-that-is-final",
    scenarios: ["answer to a call/that isn't to be retried"],
    differs: [["sent/0", undefined, PUBLISHES]],
    reason: "Retries that aren't made are not waited for (C7).",
  },
  {
    id: "large-answers",
    scenarios: ["answer to a call/too large to be sent along*"],
    differs: [
      ...done("fromCallback"),
      ["answer/done", undefined, { workflowRunId: "wfr_test", finishCondition: "workflow-already-ended" }],
      ["sent/0", undefined, FETCHES],
      ["sent/1", undefined, PUBLISHES],
    ],
    reason: "What isn't sent along is fetched (C1).",
  },
  {
    id: "answers-for-ended-runs",
    scenarios: ["answer to a call/of a run that has ended"],
    differs: [...done("workflow-already-ended"), ["sent/1", undefined, FETCHES]],
    reason: "There is nothing to record any more, and nothing to retry.",
  },
  {
    id: "answers-do-not-run-the-workflow",
    scenarios: ["answer to a call/while the workflow looks at its payload"],
    differs: [
      ...done("fromCallback"),
      ["sent/0", undefined, PUBLISHES],
      ["noted", like([{ status: 200 }]), []],
    ],
    reason: "Recording an answer takes no user code, which would see the answer for its payload (C4).",
  },
  {
    id: "text-by-its-bytes",
    scenarios: ["result of a call/*", "group of all kinds/it is done"],
    differs: [
      inResult("body", "Ã©", "é"),
      inResult("body", "\uFFFD", "é"),
      inResult("body/json", { "Ã©": 1 }, undefined),
      inResult("body/é", undefined, 1),
      inResult("kind", "string", "object"),
      inResult("3/body", "{}", {}),
    ],
    reason:
      "Text is UTF-8 unless its type names another charset, and JSON is parsed: whatever its type (C2).",
  },
  {
    id: "bytes-stay-bytes",
    scenarios: ["result of a call/that is an image"],
    differs: [
      inResult("body", "\u0089Pÿ", { "0": 0x89, "1": 0x50, "2": 0xff }),
      inResult("kind", "string", "bytes"),
    ],
    reason: "What is no text comes as a Uint8Array (C2).",
  },
  {
    id: "headers-of-webhooks",
    scenarios: ["webhook/hit by *"],
    differs: [inResult("own", "1,2", "1, 2")],
    reason: "Several values of a header are joined as the platform does it.",
  },
];

const many: readonly Row[] = [
  {
    id: "keys-as-they-are-written",
    scenarios: ["serveMany/the second", "serveMany/with a query"],
    differs: [
      ["answer/status", 404, 200],
      ["answer/text", "<text>", undefined],
      ["answer/done", undefined, like({ finishCondition: "success" })],
      ["sent/0", undefined, PUBLISHES],
    ],
    reason: "A key is found though the URL encodes it, or has a slash in its query.",
  },
  {
    id: "keys-with-a-slash",
    scenarios: ["serveMany/a key with a slash"],
    differs: [["answer/thrown", "WorkflowError", "TypeError"]],
    reason: "A mistake in the code is a TypeError.",
  },
];

export const steps: readonly Row[] = [...telemetry, ...messages, ...results, ...many];
