import { z } from "zod";
import type { Body, Route, Routes, Schema } from "./route.ts";
import { error } from "./schemas.ts";

/** An OpenAPI 3.1 document. */
export interface OpenApi {
  readonly openapi: string;
  readonly info: Schema;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Schema>>>>;
  readonly components: Schema;
  readonly security: readonly Schema[];
}

/** A verb at a path, with its route. */
interface Operation {
  readonly verb: string;
  readonly path: string;
  readonly summary: string;
  readonly route: Route;
}

const VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/** Generates the OpenAPI document from the declarations of the routes. */
export function describe(routes: Routes): OpenApi {
  const operations = Object.entries(routes).flatMap(([pattern, verbs]) =>
    Object.entries(verbs).flatMap(([verb, route]) => toOperations(pattern, verb, route)),
  );
  const shown = toSchemas(
    operations.flatMap(({ route }) => [...(route.media ? [] : Object.values(route.answers)), error]),
    "output",
  );
  const taken = toSchemas(
    operations.flatMap(({ route }) => route.body?.schema ?? []),
    "input",
  );
  const paths: Record<string, Record<string, Schema>> = {};
  for (const operation of operations) {
    const { verb, path } = operation;
    paths[path] = { ...paths[path], [verb.toLowerCase()]: toItem(operation, shown.of, taken.of) };
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
      schemas: { ...taken.components, ...shown.components },
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        query: { type: "apiKey", in: "query", name: "qstash_token" },
      },
    },
    security: [{ bearer: [] }, { query: [] }],
  };
}

function toOperations(pattern: string, verb: string, route: Route): Operation[] {
  const own = route.path ?? pattern.replace(/:(\w+)(?:\{.*?\})?(?=\/|$)/g, "{$1}");
  const paths = Object.entries({ [own]: route.summary, ...route.also });
  const verbs = verb === "ALL" ? VERBS : [verb];
  return paths.flatMap(([path, summary]) => verbs.map((one) => ({ verb: one, path, summary, route })));
}

interface Schemas {
  readonly of: (schema: z.ZodType) => Schema;
  /** The named schemas. */
  readonly components: Schema;
}

/** Converts all schemas at once, so that the document contains a shared schema once. */
function toSchemas(schemas: readonly z.ZodType[], io: "input" | "output"): Schemas {
  const all = [...new Set(schemas)];
  const written = z.toJSONSchema(z.tuple(all as [z.ZodType]), { io, override: withoutSafeBounds });
  const { prefixItems, $defs } = JSON.parse(
    JSON.stringify(written).replaceAll('"#/$defs/', '"#/components/schemas/'),
  );
  return { of: (schema) => prefixItems[all.indexOf(schema)], components: $defs };
}

/** Removes the bounds that Zod adds to each integer: the safe integers of JavaScript. */
function withoutSafeBounds({ jsonSchema }: { readonly jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
}

function toItem(
  { verb, path, summary, route }: Operation,
  shown: Schemas["of"],
  taken: Schemas["of"],
): Schema {
  const { params = {}, query = {}, headers = {}, body, answers, open } = route;
  const refused = { description: "Refused: the error says why.", content: ofJson(shown(error)) };
  return {
    operationId: toId(verb, path),
    summary,
    tags: [path.split("/")[2]],
    parameters: [
      ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => ({
        name,
        in: "path",
        required: true,
        schema: params[name]?.schema ?? { type: "string" },
      })),
      ...Object.entries(query).map(([name, { schema }]) => ({ name, in: "query", schema })),
      ...Object.entries(headers).map(([name, description]) => ({
        name,
        in: "header",
        description,
        schema: { type: "string" },
      })),
    ],
    ...(body ? { requestBody: toBody(body, taken) } : {}),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, schema]) => [
          status,
          { description: summary, content: route.media ? { [route.media]: {} } : ofJson(shown(schema)) },
        ]),
      ),
      "4XX": refused,
      "5XX": refused,
    },
    ...(open ? { security: [] } : {}),
  };
}

function toBody({ type, schema, required }: Body<unknown>, taken: Schemas["of"]): Schema {
  return { required, content: { [type]: schema ? { schema: taken(schema) } : {} } };
}

function ofJson(schema: Schema): Schema {
  return { "application/json": { schema } };
}

/** The operation's id, for example `getMessagesId` for `GET /v2/messages/{id}`. */
function toId(verb: string, path: string): string {
  const words = path.replace(/^\/v2\//, "").split(/[^A-Za-z]+/);
  const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
  return verb.toLowerCase() + words.map(capital).join("");
}
