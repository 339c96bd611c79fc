/** A function or a class: JSON leaves it out. */
type Callable = ((...args: never[]) => unknown) | (abstract new (...args: never[]) => unknown);

/** JSON leaves these out of objects and writes `null` for them in lists. */
type Omitted = undefined | symbol | Callable;

/** A value that says by itself what JSON makes of it, such as a `Date`. */
interface Convertible<Json> {
  toJSON(...args: never[]): Json;
}

/** Objects that keep nothing in properties of their own, so that JSON writes `{}`. */
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
 * The type of a value after it has been written as JSON and read again, as results, events and payloads are: a `Date` is
 * a string, a `Map` is `{}`, methods are gone, and what may be `undefined` may be missing. A `bigint`, of which JSON makes
 * nothing, is `never`. Properties that a class defines by getters can't be told from others, though JSON leaves them out.
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

// TypeScript looks into the elements of a list only when they are asked for, and into those of a mapped type at once:
// that would have no end for lists of themselves.
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

/** The properties of an `Error` that JSON leaves out. An object that only looks like one lacks some of these. */
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

/** One object type in place of an intersection of several. */
type Flat<Value> = { [Key in keyof Value]: Value[Key] };

/** The same type where it holds no `bigint`; `never` in the place of each. */
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
 * Refuses what can't be written as JSON: intersect it with the type of a parameter that takes, or makes, a `Value`.
 * It compares with `never`, so that TypeScript accepts a type parameter, of which nothing is known yet.
 */
export type OnlyJson<Value> = [HasJson<Value>] extends [never]
  ? "JSON has no bigint: make it a string or a number"
  : unknown;
