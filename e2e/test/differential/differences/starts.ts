import { type Differing, like, type Row } from "../support/explain.ts";

const header = (name: string, upstream: Differing[1], ours: Differing[2]): Differing => [
  `sent/*/messages/*/headers/${name}`,
  upstream,
  ours,
];

const FEATURES = "LazyFetch,InitialBody,WF_DetectTrigger,WF_TriggerOnConfig";
const RAW = ["start/*", "serveMany/a start", "signature/of a start"];
const UNKNOWN_SDK = "start of an unknown SDK's run/*";

export const starts: readonly Row[] = [
  {
    id: "client-headers-for-known-hosts",
    scenarios: [
      "start/headers of the endpoint's client",
      "options/headers of the endpoint's client, in a step",
      "options/headers of the endpoint's client, in a call",
      "invoke/by an endpoint whose client has headers",
    ],
    differs: [
      header("upstash-forward-x-client", "c", undefined),
      ["sent/*/messages/*/body/headers/upstash-forward-x-client", ["c"], undefined],
    ],
    reason:
      "They are often secrets: they go to hosts that options or a token name, and not to what an unsigned request or a call does.",
  },
  {
    id: "failure-function-of-every-run",
    scenarios: RAW,
    differs: [
      header("upstash-failure-callback", undefined, /^https:\/\/(app|public)\.example\.com\//),
      header("upstash-failure-callback-workflow-url", undefined, /^https:\/\/(app|public)\.example\.com\//),
      header("upstash-failure-callback-workflow-runid", undefined, /^(<wfr 1>|wfr_msg_abc)$/),
      header("upstash-failure-callback-workflow-init", undefined, "false"),
      header("upstash-failure-callback-workflow-calltype", undefined, "failureCall"),
      header("upstash-failure-callback-feature-set", undefined, FEATURES),
      header("upstash-failure-callback-forward-upstash-workflow-is-failure", undefined, "true"),
      header("upstash-failure-callback-forward-upstash-workflow-failure-callback", undefined, "true"),
      header("upstash-failure-callback-forward-x-user", undefined, "u"),
      header("upstash-failure-callback-forward-x-api-key", undefined, "kept by both"),
    ],
    reason: "A run that a POST, a message or a schedule has started has its failure function too (F4).",
  },
  {
    id: "labels-of-starts",
    scenarios: ["start/a labelled message", "start/a message with *"],
    differs: [
      header("upstash-label", "one, two", "one,two"),
      header("upstash-forward-upstash-label", "one, two", "one,two"),
      header("upstash-label", "not a label", undefined),
      header("upstash-forward-upstash-label", "not a label", undefined),
      header("upstash-failure-callback-forward-upstash-label", undefined, /^(own|one,two)$/),
    ],
    reason: "As a client would write them, and for the failure function too; what isn't a label is left out.",
  },
  {
    id: "secrets-of-the-caller",
    scenarios: ["start/secrets of the caller"],
    differs: [
      header("upstash-forward-authorization", "Bearer secret", undefined),
      header("upstash-forward-cookie", "secret", undefined),
    ],
    reason: "They would be stored with the run, and sent again with each of its steps (S5).",
  },
  {
    id: "headers-of-the-connection",
    scenarios: ["start/headers of the connection"],
    differs: [
      header("upstash-forward-accept-encoding", "gzip", undefined),
      header("upstash-forward-connection", "keep-alive", undefined),
      header("upstash-forward-content-length", "2", undefined),
      header("upstash-forward-host", "app.example.com", undefined),
      header("upstash-forward-user-agent", "curl", undefined),
    ],
    reason: "They belong to one request; a delivery with another one's length or host fails.",
  },
  {
    id: "headers-of-the-engine",
    scenarios: ["start/a published message", UNKNOWN_SDK, "signature/of a start"],
    differs: [
      header("upstash-forward-upstash-message-id", /^msg_/, undefined),
      header("upstash-forward-upstash-retried", "0", undefined),
      header("upstash-forward-upstash-signature", /^eyJ/, undefined),
    ],
    reason: "They belong to one delivery: each has its own.",
  },
  {
    id: "content-type-of-deliveries",
    scenarios: [...RAW, UNKNOWN_SDK, "trigger/a content type", "invoke/with a content type"],
    differs: [
      header("upstash-forward-content-type", /^(application|text)\//, undefined),
      header("upstash-failure-callback-forward-content-type", "application/xml", undefined),
    ],
    reason: "The payload's type goes with the payload; deliveries are JSON, whatever it is.",
  },
  {
    id: "starts-run-no-user-code",
    scenarios: ["start/a workflow that * before its first step", "start/a payload that the schema rejects"],
    differs: [
      ["answer/status", 500, 200],
      ["answer/status", 400, 200],
      ["answer/failed", like({}), undefined],
      ["answer/done", undefined, { workflowRunId: "<wfr 1>", finishCondition: "success" }],
      ["sent/0", undefined, like({ method: "POST", path: "/v2/batch" })],
    ],
    reason:
      "A start creates the run. What is wrong with it is that run's failure, and its failure function hears of it.",
  },
  {
    id: "run-named-after-its-message",
    scenarios: ["start/a published message"],
    differs: [
      ["answer/done/workflowRunId", "<wfr 1>", "wfr_msg_abc"],
      header("upstash-workflow-runid", "<wfr 1>", "wfr_msg_abc"),
    ],
    reason: "A message that is delivered twice starts one run (R8).",
  },
];
