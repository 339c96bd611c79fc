import type { Context, Handler } from "hono";
import { toUrl } from "../domain/field.ts";
import { isHeaderName, isHeaderValue } from "../domain/header.ts";
import { toFanOut } from "../domain/intake.ts";
import { invalid } from "../domain/problem.ts";
import {
  checkTopicName,
  noTopic,
  type Topic,
  type TopicChange,
  type TopicEndpoint,
  topicHeader,
} from "../domain/topic.ts";
import { readBody } from "./body.ts";
import { parseJson, toList, toObject } from "./json.ts";
import type { Env, Service } from "./service.ts";

type Named = Handler<Env, "/:name">;

/** `GET /v2/topics`: all URL groups. */
export function listTopics({ store }: Service): Handler<Env> {
  return async (c) => c.json((await store.topics()).map(topicView));
}

export function getTopic({ store }: Service): Named {
  return async (c) => {
    const name = nameOf(c);
    const topic = await store.topic(name);
    if (!topic) throw noTopic(name);
    return c.json(topicView(topic));
  };
}

/** `DELETE /v2/topics/{name}`. What was published to it is still delivered. */
export function deleteTopic(service: Service): Named {
  return (c) => change(c, { kind: "delete" }, service);
}

/** `PATCH /v2/topics/{name}`: replaces the headers that count where those of a request say nothing. */
export function patchTopic(service: Service): Named {
  return async (c) => change(c, { kind: "headers", headers: await readHeaders(c, service) }, service);
}

/** `POST /v2/topics/{name}/endpoints`: adds endpoints, or replaces those of the same name or URL. */
export function addEndpoints(service: Service): Named {
  return async (c) => {
    const endpoints = (await readEndpoints(c, service)).map((one, at) => toEndpoint(one, at, service));
    checkDuplicates(endpoints);
    return change(c, { kind: "add", endpoints }, service);
  };
}

/** `DELETE /v2/topics/{name}/endpoints`: takes out endpoints by name or URL, and with the last one the group. */
export function removeEndpoints(service: Service): Named {
  return async (c) => {
    const endpoints = (await readEndpoints(c, service)).map(toSelector);
    return change(c, { kind: "remove", endpoints }, service);
  };
}

async function change(
  c: Context<Env, "/:name">,
  what: TopicChange,
  { store, clock, limits }: Service,
): Promise<Response> {
  const topic = await store.updateTopic(nameOf(c), what, limits, clock.now());
  return c.json(topic ? topicView(topic) : {});
}

function nameOf(c: Context<Env, "/:name">): string {
  return checkTopicName(c.req.param("name"), "url group name");
}

async function readJson(c: Context<Env>, { limits }: Service): Promise<Record<string, unknown>> {
  const body = await readBody(c.req.raw, limits.requestBytes);
  return toObject(parseJson(body, "the body"), "body");
}

async function readEndpoints(c: Context<Env>, service: Service): Promise<Record<string, unknown>[]> {
  const { endpoints } = await readJson(c, service);
  return toList(endpoints, "endpoints").map((one, at) => toObject(one, `endpoints[${at}]`));
}

function toEndpoint({ url, name }: Record<string, unknown>, at: number, { limits }: Service): TopicEndpoint {
  const field = `endpoints[${at}]`;
  if (typeof url !== "string") throw invalid(`${field}.url`, "expected a url");
  return { url: toUrl(url, `${field}.url`, limits), ...toName(name, `${field}.name`) };
}

function toSelector({ url, name }: Record<string, unknown>, at: number): Partial<TopicEndpoint> {
  const field = `endpoints[${at}]`;
  const named = toName(name, `${field}.name`);
  if (named.name !== undefined) return named;
  if (typeof url !== "string") throw invalid(field, "expected a name or a url");
  return { url };
}

/** Some clients write null for what they leave out. */
function toName(name: unknown, field: string): Pick<Partial<TopicEndpoint>, "name"> {
  if (name === undefined || name === null) return {};
  if (typeof name !== "string") throw invalid(field, "expected a text");
  return { name: checkTopicName(name, field) };
}

function checkDuplicates(endpoints: readonly TopicEndpoint[]): void {
  endpoints.forEach(({ url, name }, at) => {
    const before = endpoints.slice(0, at);
    if (before.some((one) => one.url === url)) throw invalid(`endpoints[${at}].url`, "it is given twice");
    if (name !== undefined && before.some((one) => one.name === name)) {
      throw invalid(`endpoints[${at}].name`, "it is given twice");
    }
  });
}

async function readHeaders(c: Context<Env, "/:name">, service: Service): Promise<Topic["headers"]> {
  const { headers } = await readJson(c, service);
  const read: Record<string, string> = {};
  const names = new Set<string>();
  for (const [name, value] of Object.entries(toObject(headers, "headers"))) {
    const field = `headers ${name}`;
    const values = Array.isArray(value) ? value : [value];
    if (values.length === 0 || !values.every((one) => typeof one === "string" && isHeaderValue(one))) {
      throw invalid(field, "expected a text, or a list of texts, that a header can carry");
    }
    if (!isHeaderName(name)) throw invalid(field, "this is no header name");
    if (names.has(topicHeader(name))) throw invalid(field, "it is given twice");
    read[name] = values.join(", ");
    names.add(topicHeader(name));
  }
  checkHeaders(nameOf(c), read, service);
  return read;
}

/** Nothing is kept that every request to publish would be refused for. */
function checkHeaders(name: string, headers: Topic["headers"], { limits, clock }: Service): void {
  const now = clock.now();
  const request = { destination: name, headers: new Map(), body: new Uint8Array(), callerIp: "", now };
  const endpoints = [{ url: "https://endpoint.invalid/" }];
  toFanOut(request, { name, createdAt: now, updatedAt: now, endpoints, headers }, limits);
}

function topicView({ name, createdAt, updatedAt, endpoints, headers }: Topic): object {
  const lists = Object.entries(headers).map(([header, value]) => [header, [value]]);
  return {
    name,
    createdAt,
    updatedAt,
    endpoints,
    ...(lists.length > 0 ? { headers: Object.fromEntries(lists) } : {}),
  };
}
