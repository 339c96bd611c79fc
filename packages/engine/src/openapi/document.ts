import { MESSAGE_OPERATIONS } from "./messages.ts";
import type { Body, Operation, Operations } from "./operation.ts";
import { RESOURCES } from "./resources.ts";
import { RUN } from "./runs.ts";
import { ref, type Schema, text } from "./schema.ts";
import { SETTING_OPERATIONS } from "./settings.ts";
import { WORKFLOW_OPERATIONS } from "./workflows.ts";

/** All that is described, by verb and route. */
export const OPERATIONS: Operations = {
  ...MESSAGE_OPERATIONS,
  ...WORKFLOW_OPERATIONS,
  ...SETTING_OPERATIONS,
};

/** An OpenAPI 3.1 document. */
export interface OpenApi {
  readonly openapi: string;
  readonly info: Schema;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Schema>>>>;
  readonly components: Schema;
  readonly security: readonly Schema[];
  /** Routes that nothing is known of. There are none. */
  readonly "x-undescribed"?: readonly string[];
}

/**
 * Describes the routes that there are.
 *
 * @param routes each as a verb and a pattern: `GET /v2/messages/:id`
 */
export function describe(routes: readonly string[]): OpenApi {
  const known = new Map<string, Operation | readonly Operation[]>(Object.entries(OPERATIONS));
  const paths: Record<string, Record<string, Schema>> = {};
  const unknown: string[] = [];
  for (const route of routes) {
    const [verb = "", pattern = ""] = route.split(" ", 2);
    const found = known.get(route);
    if (!found) unknown.push(route);
    for (const operation of [found ?? []].flat()) {
      const path = operation.path ?? toPath(pattern);
      paths[path] = { ...paths[path], [verb.toLowerCase()]: toItem(operation, verb, path) };
    }
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Perdure",
      version: "2",
      description: "An open engine with the API of QStash.",
      license: { name: "MIT", identifier: "MIT" },
    },
    paths,
    components: {
      schemas: { ...RESOURCES, Run: RUN },
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        query: { type: "apiKey", in: "query", name: "qstash_token" },
      },
    },
    security: [{ bearer: [] }, { query: [] }],
    ...(unknown.length > 0 ? { "x-undescribed": unknown } : {}),
  };
}

function toPath(pattern: string): string {
  return pattern.replace(/:(\w+)/g, "{$1}").replace("*", "{destination}");
}

function toItem(operation: Operation, verb: string, path: string): Schema {
  const { summary, query = {}, options, body, answers, open } = operation;
  const refused = { description: "Refused: the error says why.", content: ofJson(ref("Error")) };
  return {
    operationId: toId(verb, path),
    summary,
    tags: [path.split("/")[2]],
    parameters: [
      ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
        name,
        in: "path",
        required: true,
        schema: text,
      })),
      ...Object.entries(query).map(([name, schema]) => ({ name, in: "query", schema })),
      ...(options ? OPTIONS : []),
    ],
    ...(body ? { requestBody: toBody(body) } : {}),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, schema]) => [
          status,
          { description: summary, content: ofJson(schema) },
        ]),
      ),
      "4XX": refused,
      "5XX": refused,
    },
    ...(open ? { security: [] } : {}),
  };
}

function toBody({ type, schema, required = false }: Body): Schema {
  return { required, content: { [type]: schema ? { schema } : {} } };
}

function ofJson(schema: Schema): Schema {
  return { "application/json": { schema } };
}

/** `getMessagesId` for `GET /v2/messages/{id}`. */
function toId(verb: string, path: string): string {
  const words = path.replace(/^\/v2\//, "").split(/[^A-Za-z]+/);
  const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
  return verb.toLowerCase() + words.map(capital).join("");
}

/** Headers that say how to deliver. The same may be said in the query, in lower case. */
const OPTIONS: readonly Schema[] = [
  ["Upstash-Method", "GET, POST, PUT, PATCH or DELETE."],
  ["Upstash-Delay", "How long to wait before the first attempt: 30s, 5m, 1d12h."],
  ["Upstash-Not-Before", "The unix time before which no attempt is made; it wins over the delay."],
  ["Upstash-Retries", "Attempts after the first."],
  ["Upstash-Retry-Delay", "An expression, in milliseconds: 1000 * (1 + retried)."],
  ["Upstash-Timeout", "For one attempt."],
  ["Upstash-Deduplication-Id", "What comes again within the window is not delivered again."],
  ["Upstash-Content-Based-Deduplication", "true: as if the content were the id."],
  ["Upstash-Callback", "Where each attempt is reported; its options begin with Upstash-Callback-."],
  ["Upstash-Failure-Callback", "Where a final failure is; its options begin with Upstash-Failure-Callback-."],
  ["Upstash-Queue-Name", "The queue to put it in."],
  ["Upstash-Cron", "When to send it, again and again: 0 9 * * *, or CRON_TZ=Europe/Berlin 0 9 * * *."],
  ["Upstash-Schedule-Id", "What the schedule is known by; the same again replaces it."],
  ["Upstash-Header-Forward", "true: all of the request's own headers are sent along."],
  ["Upstash-Label", "Names to find it by, with commas between them."],
  ["Upstash-Flow-Control-Key", "What shares limits."],
  ["Upstash-Flow-Control-Value", "The limits: parallelism=5, rate=10, period=1m."],
  ["Upstash-Redact-Fields", "What is shown only as a hash: body, header, header[Name]."],
].map(([name, description]) => ({ name, in: "header", description, schema: text }));
