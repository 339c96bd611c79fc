import { HEADER } from "@perdure/core/protocol";
import { beforeEach, describe, expect, it } from "vitest";
import { type Answer, type Ask, type World, world } from "../harness.ts";

const LONG = "x".repeat(10_000);
const PUBLISH = "/v2/publish/https://a.test/";
const ENDPOINTS = "/v2/topics/g/endpoints";

type Row = readonly [what: string, method: string, path: string, ask: Ask, names: string];

const headers = (name: string, value: string, names: string = name): Row => [
  `${name}: ${value.slice(0, 30)}`,
  "POST",
  PUBLISH,
  { headers: { [name]: value } },
  names,
];
const trigger = (id: string): Row => [
  `${HEADER.triggerId}: ${id.slice(0, 30)}`,
  "POST",
  PUBLISH,
  { headers: { [HEADER.init]: "true", [HEADER.runId]: "wfr_1", [HEADER.triggerId]: id } },
  HEADER.triggerId,
];
const body = (method: string, path: string, text: Ask["body"], names: string): Row => [
  `${method} ${path} ${String(text).slice(0, 60)}`,
  method,
  path,
  { body: text ?? "" },
  names,
];
const limit = (value: string): Row => [
  `${HEADER.flowControlValue}: ${value}`,
  "POST",
  PUBLISH,
  { headers: { [HEADER.flowControlKey]: "k", [HEADER.flowControlValue]: value } },
  HEADER.flowControlValue,
];
const item = (value: unknown, names: string): Row =>
  body("POST", "/v2/batch", JSON.stringify([value]), names);

const ROWS: readonly Row[] = [
  headers("Upstash-Callback-Retries", "x", "Upstash-Callback-Retries"),
  headers("Upstash-Callback-Callback-Method", "BREW"),
  headers("Upstash-Callback-Failure-Callback-Delay", "never"),
  headers("Upstash-Callback-Content-Based-Deduplication", "true"),
  headers(HEADER.failureCallback, "mailto:a@a.test"),
  trigger("an id"),
  trigger(""),
  trigger(LONG),
  // Times and counts that are no whole numbers any more once they are stored.
  headers(HEADER.delay, "104249991d"),
  headers(HEADER.delay, "9007199254740s"),
  headers(HEADER.notBefore, "9007199254740"),
  headers(HEADER.timeout, "200000000d"),
  limit("parallelism=99999999999999999999"),
  limit("rate=9007199254740993"),
  limit("rate=1, rate=2"),
  headers("Upstash-Forward-__proto__", "v"),
  headers("Upstash-Callback-Forward-__proto__", "v", "__proto__"),
  ["an option twice", "POST", `${PUBLISH}?upstash-retries=1&Upstash-Retries=2`, {}, "Upstash-Retries"],
  body("POST", "/v2/batch", '{"destination":"https://a.test"}', "batch"),
  item({ destination: `https://a.test/${LONG}` }, "destination url"),
  item({ destination: "https://a.test", headers: { a: "1", A: "2" } }, "header A"),
  item({ destination: "https://a.test", headers: { "upstash-forward-a": "\u0000" } }, "Upstash-Forward-a"),
  item({ destination: "https://a.test", headers: { "upstash-forward-a b": "1" } }, "Upstash-Forward-a b"),
  body("POST", ENDPOINTS, `{"endpoints":[{"url":"https://a.test/${LONG}"}]}`, "endpoints[0].url"),
  body(
    "POST",
    ENDPOINTS,
    '{"endpoints":[{"url":"https://a.test"},{"url":"https://a.test"}]}',
    "endpoints[1].url",
  ),
  body(
    "POST",
    ENDPOINTS,
    '{"endpoints":[{"url":"https://a.test","name":"n"},{"url":"https://b.test","name":"n"}]}',
    "endpoints[1].name",
  ),
  body("POST", "/v2/topics/a%20b/endpoints", '{"endpoints":[{"url":"https://a.test"}]}', "url group name"),
  body(
    "POST",
    `/v2/topics/${"g".repeat(257)}/endpoints`,
    '{"endpoints":[{"url":"https://a.test"}]}',
    "url group",
  ),
  body("DELETE", ENDPOINTS, '{"endpoints":[{}]}', "endpoints[0]"),
  body("DELETE", ENDPOINTS, '{"endpoints":[{"name":null}]}', "endpoints[0]"),
  body("DELETE", ENDPOINTS, '{"endpoints":[{"url":"https://a.test"}]}', "url group g not found"),
  body("PATCH", "/v2/topics/g", '{"headers":{"A":["\\u0000"]}}', "headers.A"),
  body("PATCH", "/v2/topics/g", '{"headers":{"A B":"1"}}', "headers.A B"),
  body("PATCH", "/v2/topics/g", '{"headers":{"A":"1","a":"2"}}', "headers.a"),
  body("PATCH", "/v2/topics/g", '{"headers":{"__proto__":"1"}}', "__proto__"),
  body("PATCH", "/v2/topics/g", '{"headers":{"Upstash-Retries":"many"}}', "Upstash-Retries"),
  body("PATCH", "/v2/topics/g", '{"headers":{"Upstash-Workflow-Init":"true"}}', HEADER.init),
  body("PATCH", "/v2/topics/g", '{"headers":{"Upstash-Workflow-CallType":"toCallback"}}', HEADER.callType),
  body("PATCH", "/v2/topics/g", '{"headers":{"Upstash-Callback-Retries":"x"}}', "Upstash-Callback-Retries"),
  ["an unknown group", "GET", "/v2/topics/none", {}, "url group none not found"],
];

describe("bad input to what publishes", () => {
  let w: World;
  beforeEach(() => {
    w = world();
  });

  it.each(ROWS)(
    "%s (%s %s) is refused by name, and nothing is stored",
    async (_, method, path, ask, names) => {
      const answer = await w.ask(method, path, ask);
      const error = errorOf(answer);
      expect(error.toLowerCase()).toContain(names.toLowerCase());
      // A batch is answered item by item.
      expect(answer.status === 200 ? Array.isArray(answer.body) : answer.status < 500).toBe(true);
      expect(answer.status === 200 || answer.status >= 400).toBe(true);
      await w.drain();
      expect(w.calls).toEqual([]);
      expect(w.events).toEqual([]);
      expect((await w.ask("GET", "/v2/topics")).body).toEqual([]);
    },
  );
});

function errorOf({ body }: Answer): string {
  const { error } = Array.isArray(body) ? body[0] : body;
  expect(error).toBeTypeOf("string");
  return error;
}
