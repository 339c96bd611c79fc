import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { expect } from "vitest";
import type { OpenApi } from "../src/http/document.ts";
import type { Schema } from "../src/http/route.ts";
import { type Answer, type World, world } from "./harness.ts";

/** What the document says of one operation. */
export interface Item {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly schema: Schema }[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, { readonly schema?: Schema }>>;
  };
  /** Empty where no token is needed. */
  readonly security?: readonly unknown[];
  readonly responses: Readonly<Record<string, { content: { "application/json": { schema: object } } }>>;
}

let described: Promise<OpenApi> | undefined;

/** The document, which is the same one for all tests: nobody changes it. */
export function describedApi(): Promise<OpenApi> {
  described ??= world()
    .ask("GET", "/openapi.json", { token: null })
    .then(({ body }) => body);
  return described;
}

// In strict mode a schema with a word that means nothing is a fault.
const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
ajv.addVocabulary(["components"]);
/** Compiling a schema takes longer than most requests. */
const validators = new WeakMap<object, ValidateFunction>();

/** What checks a value against a schema of the document. */
export function validatorOf(schema: object, { components }: OpenApi): ValidateFunction {
  const known = validators.get(schema);
  if (known) return known;
  const validate = ajv.compile({ ...schema, components });
  validators.set(schema, validate);
  return validate;
}

/** Operations by verb and path. */
export function itemsOf(api: OpenApi): [string, Item][] {
  return Object.entries(api.paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, item]): [string, Item] => [
      `${verb.toUpperCase()} ${path}`,
      item as unknown as Item,
    ]),
  );
}

/** Asks, and looks at each answer: is it one that is described? */
export interface Checked {
  readonly ask: World["ask"];
  /** Operations of these parts of the API that were never asked for with success. */
  readonly missing: (...parts: string[]) => string[];
}

export function checked(w: World, api: OpenApi): Checked {
  const seen = new Set<string>();
  const check = (name: string, { responses }: Item, { status, body }: Answer): void => {
    const response = responses[status] ?? responses[`${String(status)[0]}XX`];
    const what = `${name} answers ${status} ${JSON.stringify(body)}`;
    expect(response, what).toBeDefined();
    const { schema = {} } = response?.content["application/json"] ?? {};
    const validate = validatorOf(schema, api);
    validate(body);
    expect(validate.errors ?? [], what).toEqual([]);
    if (status < 300) seen.add(name);
  };
  return {
    async ask(method, path, ask) {
      const found = find(api, method, path);
      if (!found) throw new TypeError(`Nothing describes ${method} ${path}.`);
      const answer = await w.ask(method, path, ask);
      check(...found, answer);
      return answer;
    },
    missing: (...parts) =>
      itemsOf(api)
        .map(([name]) => name)
        .filter((name) => parts.includes(name.split("/")[2] ?? "") && !seen.has(name)),
  };
}

/** The operation that a request is for: of several the one whose path says most. */
function find(api: OpenApi, method: string, path: string): [string, Item] | undefined {
  const bare = path.split("?", 1)[0] as string;
  const fitting = itemsOf(api).filter(([name]) => {
    const [verb, template = ""] = name.split(" ");
    const pattern = template
      .replace(/\{(destination|url|schedule|eventId)\}/g, ".+")
      .replace(/\{\w+\}/g, "[^/]+");
    return verb === method && new RegExp(`^${pattern}$`).test(bare);
  });
  return fitting.sort(([a], [b]) => said(b) - said(a))[0];
}

function said(name: string): number {
  return name.replace(/\{\w+\}/g, "").length;
}
