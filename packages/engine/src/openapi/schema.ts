/** JSON Schema of the 2020-12 dialect, as OpenAPI 3.1 has it. */
export type Schema = Readonly<Record<string, unknown>>;

/** The properties of an object. */
export type Properties = Readonly<Record<string, Schema>>;

export const text: Schema = { type: "string" };
export const whole: Schema = { type: "integer" };
export const flag: Schema = { type: "boolean" };
export const texts: Schema = list(text);
/** Milliseconds since 1970. */
export const time: Schema = { type: "integer", description: "Milliseconds since 1970." };
export const seconds: Schema = { type: "integer", description: "Unix time in seconds." };
export const base64: Schema = { type: "string", contentEncoding: "base64" };
/** Values by the names of headers, in Train-Case. */
export const headers: Schema = { type: "object", additionalProperties: texts };

export function list(items: Schema): Schema {
  return { type: "array", items };
}

/** With these properties and no others; those that are always there are `required`. */
export function object(required: Properties, optional: Properties = {}): Schema {
  return {
    type: "object",
    properties: { ...required, ...optional },
    ...(Object.keys(required).length > 0 ? { required: Object.keys(required) } : {}),
    additionalProperties: false,
  };
}

export function oneOf(...values: readonly string[]): Schema {
  return { type: "string", enum: values };
}

export function about(schema: Schema, description: string): Schema {
  return { ...schema, description };
}

/** One of the components, by its name. */
export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

/** A page of a list; the cursor isn't there on the last one. */
export function page(key: string, item: string): Schema {
  return object({ [key]: list(ref(item)) }, { cursor: text });
}
