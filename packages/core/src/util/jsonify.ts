/** A function or a class: JSON leaves it out. */
type Callable = ((...args: never[]) => unknown) | (abstract new (...args: never[]) => unknown);

/** JSON leaves these out of objects and writes `null` for them in lists. */
type Omitted = undefined | symbol | Callable;

/** A value with its own conversion to JSON, such as a `Date`. */
interface Convertible<Json> {
  toJSON(...args: never[]): Json;
}

/** Objects without enumerable properties of their own: JSON writes `{}`. */
type Opaque =
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | WeakMap<object, unknown>
  | WeakSet<object>
  | PromiseLike<unknown>
  | RegExp
  | ArrayBuffer
  | DataView
  | Headers
  | Request
  | Response;

/** `Int8Array` and its siblings. */
interface TypedArray<Element> {
  readonly BYTES_PER_ELEMENT: number;
  readonly [index: number]: Element;
}

/**
 * The type of a value after a round trip through JSON, which results, events and payloads make: a `Date` becomes a string, a
 * `Map` becomes `{}`, methods disappear, and a property that may be `undefined` may be missing. A `bigint`, which JSON can't
 * contain, becomes `never`. The type keeps a class's getters, which it can't distinguish, although JSON omits them.
 */
export type Jsonify<Value> = unknown extends Value
  ? Value // any, unknown
  : Value extends string | number | boolean | null
    ? Value
    : Value extends void
      ? Value // undefined, too
      : Value extends Convertible<infer Json>
        ? Jsonify<Json>
        : Value extends bigint
          ? never
          : Value extends symbol | Callable
            ? undefined
            : Value extends readonly unknown[]
              ? List<Value>
              : Value extends TypedArray<infer Element>
                ? Record<string, Jsonify<Element>>
                : Value extends Opaque
                  ? Record<never, never>
                  : Members<Value, HiddenOf<Value>>;

// TypeScript resolves the elements of a list lazily, and those of a mapped type at once, which would never end for a list of
// itself.
type List<Value extends readonly unknown[]> = readonly Value[number][] extends Value
  ? readonly Item<Value[number]>[]
  : Value[number][] extends Value
    ? Item<Value[number]>[]
    : { [Index in keyof Value]: Item<Value[Index]> };

type Item<Value> = unknown extends Value
  ? Value
  : Value extends void
    ? null
    : Value extends symbol | Callable
      ? null
      : Jsonify<Value>;

/** The properties of an `Error` that JSON omits. An object that only looks like an `Error` lacks some of them. */
type HiddenOf<Value> = Value extends Error
  ? "stack" | "cause" extends keyof Value
    ? keyof Error
    : never
  : never;

type Members<Value, Hidden> = Flat<
  {
    [Key in keyof Value as Presence<Key, Value[Key], Hidden> extends "always" ? Key : never]: Jsonify<
      Value[Key]
    >;
  } & {
    [Key in keyof Value as Presence<Key, Value[Key], Hidden> extends "perhaps" ? Key : never]?: Jsonify<
      Exclude<Value[Key], Omitted>
    >;
  }
>;

type Presence<Key, Value, Hidden> = Key extends symbol | Hidden
  ? "never"
  : unknown extends Value
    ? "always"
    : [Extract<Value, Omitted>] extends [never]
      ? "always"
      : [Exclude<Value, symbol | Callable>] extends [never]
        ? "never"
        : [Exclude<Value, undefined>] extends [never]
          ? "perhaps"
          : [Exclude<Value, Omitted>] extends [never]
            ? "never"
            : "perhaps";

/** Merges an intersection into one object type. */
type Flat<Value> = { [Key in keyof Value]: Value[Key] };

/** The same type, with `never` in place of each `bigint`. */
type WithoutBigInt<Value> = unknown extends Value
  ? Value
  : Value extends Convertible<unknown> | Callable | Opaque
    ? Value
    : Value extends bigint
      ? never
      : Value extends readonly unknown[]
        ? readonly WithoutBigInt<Value[number]>[]
        : Value extends object
          ? { [Key in keyof Value]: WithoutBigInt<Value[Key]> }
          : Value;

type HasJson<Value> = [Value] extends [WithoutBigInt<Value>] ? true : never;

/**
 * Rejects types that JSON can't contain: intersect it with the type of a parameter that takes or returns a `Value`.
 * It compares with `never`, so that TypeScript accepts an unresolved type parameter.
 */
export type OnlyJson<Value> = [HasJson<Value>] extends [never]
  ? "JSON has no bigint: make it a string or a number"
  : unknown;
