import { toHttpUrl, urlKey } from "@perdure/core/protocol";
import { z } from "zod";
import { parseUrlGroupPublish } from "../rules/command.ts";
import { URL_TEXT } from "../rules/destination.ts";
import { invalid } from "../rules/engine-error.ts";
import { toUrl } from "../rules/field.ts";
import { isHeaderName, isHeaderValue } from "../rules/header.ts";
import { NAME } from "../rules/name.ts";
import {
  checkCount,
  checkUrlGroupName,
  type UrlGroup,
  type UrlGroupChange,
  type UrlGroupEndpoint,
  urlGroupHeader,
} from "../rules/url-group.ts";
import { mapInSlices } from "../store/time-slices.ts";
import { json } from "./json.ts";
import { urlGroupName } from "./parameters.ts";
import { type Input, type None, type Output, type Routes, route } from "./route.ts";
import { done, headers, time } from "./schemas.ts";
import type { Service } from "./service.ts";

const urlGroup = z
  .object({
    name: z.string(),
    createdAt: time,
    updatedAt: time,
    endpoints: z.array(z.object({ url: z.string(), name: z.string().optional() }).meta({ id: "Endpoint" })),
    headers: headers.optional(),
  })
  .meta({ id: "Topic", description: "A URL group." });

// Some clients send null for fields that they leave out.
const name = z.string().meta(NAME).nullish();
const added = z.object({ endpoints: z.array(z.object({ url: z.string().meta(URL_TEXT), name })).min(1) });
const removed = z.object({ endpoints: z.array(z.object({ url: z.string().nullish(), name })).min(1) });
const texts = "expected a string, or a list of strings, that a header can carry";
const value = z.string().refine(isHeaderValue, texts);
const replaced = z.object({
  headers: z.record(z.string(), z.union([value, z.array(value).min(1)], texts)),
});

const params = { name: urlGroupName };
const changed = { params, answers: { 200: z.union([urlGroup, done]) } };

export const urlGroups = {
  "/v2/topics": {
    GET: route({
      summary: "List URL groups",
      answers: { 200: z.array(urlGroup) },
      handle: async (_, { store }) => mapInSlices(await store.urlGroups(), urlGroupView),
    }),
  },
  "/v2/topics/:name": {
    GET: route({
      summary: "Get a URL group",
      params,
      answers: { 200: urlGroup },
      handle: async ({ params: { name } }, { store }) => urlGroupView(await store.urlGroup(name)),
    }),
    PATCH: route({
      ...changed,
      summary: "Say which headers count where a message to the group says nothing",
      body: json("the body", replaced),
      handle: (input, service) =>
        change(input, { kind: "headers", headers: toHeaders(input, service) }, service),
    }),
    DELETE: route({
      ...changed,
      summary: "Delete a URL group; what was published to it is still delivered",
      handle: (input, service) => change(input, { kind: "delete" }, service),
    }),
  },
  "/v2/topics/:name/endpoints": {
    POST: route({
      ...changed,
      summary: "Add endpoints to a URL group, or replace them by name or URL",
      body: json("the body", added),
      handle(input, service) {
        checkCount(input.params.name, input.body.endpoints.length, service.limits);
        const endpoints = input.body.endpoints.map(({ url, name }, at) => ({
          url: toUrl(url, `endpoints[${at}].url`, service.limits),
          ...toName(name, at),
        }));
        checkDuplicates(endpoints);
        return change(input, { kind: "add", endpoints }, service);
      },
    }),
    DELETE: route({
      ...changed,
      summary: "Take endpoints out of a URL group by name or URL, and with the last one the group",
      body: json("the body", removed),
      handle(input, service) {
        const endpoints = input.body.endpoints.map(({ url, name }, at) => {
          if (typeof name === "string") return toName(name, at);
          if (typeof url === "string") return { url: toHttpUrl(url) ?? url };
          throw invalid(`endpoints[${at}]`, "expected a name or a url");
        });
        return change(input, { kind: "remove", endpoints }, service);
      },
    }),
  },
} satisfies Routes;

async function change(
  { params: { name } }: Pick<Input<typeof params>, "params">,
  what: UrlGroupChange,
  { store, limits }: Service,
): Promise<Output<typeof urlGroup> | Output<typeof done>> {
  const left = await store.updateUrlGroup(name, what, limits);
  return left ? urlGroupView(left) : {};
}

function toName(name: string | null | undefined, at: number): Pick<Partial<UrlGroupEndpoint>, "name"> {
  return typeof name === "string" ? { name: checkUrlGroupName(name, `endpoints[${at}].name`) } : {};
}

function checkDuplicates(endpoints: readonly UrlGroupEndpoint[]): void {
  const [urls, names] = [new Set<string>(), new Set<string>()];
  endpoints.forEach(({ url, name }, at) => {
    const key = urlKey(url);
    if (urls.has(key)) throw invalid(`endpoints[${at}].url`, "it is given twice");
    urls.add(key);
    if (name === undefined) return;
    if (names.has(name)) throw invalid(`endpoints[${at}].name`, "it is given twice");
    names.add(name);
  });
}

function toHeaders(
  { params: { name: group }, body, now }: Input<typeof params, None, z.output<typeof replaced>>,
  { limits }: Service,
): UrlGroup["headers"] {
  const read: Record<string, string> = {};
  const names = new Set<string>();
  for (const [name, value] of Object.entries(body.headers)) {
    if (!isHeaderName(name)) throw invalid(`headers.${name}`, "this is no header name");
    if (names.has(urlGroupHeader(name))) throw invalid(`headers.${name}`, "it is given twice");
    read[name] = [value].flat().join(", ");
    names.add(urlGroupHeader(name));
  }
  checkHeaders({ name: group, createdAt: now, updatedAt: now, endpoints: [ANY], headers: read }, limits);
  return read;
}

const ANY = { url: "https://endpoint.invalid/" };

/** Refuses headers that would make every request to publish to the group fail. */
function checkHeaders(urlGroup: UrlGroup, limits: Service["limits"]): void {
  const { name: destination, createdAt: now } = urlGroup;
  parseUrlGroupPublish(
    { destination, headers: new Map(), body: new Uint8Array(), callerIp: "", now },
    urlGroup,
    limits,
  );
}

function urlGroupView({ name, createdAt, updatedAt, endpoints, headers }: UrlGroup): Output<typeof urlGroup> {
  const lists = Object.entries(headers).map(([header, value]) => [header, [value]]);
  return {
    name,
    createdAt,
    updatedAt,
    endpoints,
    ...(lists.length > 0 ? { headers: Object.fromEntries(lists) } : {}),
  };
}
