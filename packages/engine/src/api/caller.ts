import { mustBe } from "@perdure/core/protocol";
import type { Answers, Output, Parameters, Route } from "../http/route.ts";
import { LOCAL, readValues, THIS_PROCESS } from "../http/serve.ts";
import type { Service } from "../http/service.ts";
import { EngineError } from "../rules/engine-error.ts";
import { checkFilters } from "./filters.ts";
import { toOptionName } from "./option-names.ts";

/** The value of a filter. A list matches if one of its values matches. */
export type FilterValue = Scalar | readonly Scalar[];

type Scalar = string | number | boolean | Date | undefined;

/** The parts of a request that a caller in this process passes. */
interface Given<P extends Parameters, Q extends Parameters> {
  readonly params?: { readonly [Name in keyof P]: string };
  readonly query?: { readonly [Name in keyof Q]?: FilterValue };
  readonly headers?: ReadonlyMap<string, string>;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** Calls the function of a route, with the checks of the route, but without an HTTP request. */
export type Call = <P extends Parameters, Q extends Parameters, B, A extends Answers>(
  route: Route<P, Q, B, A>,
  given?: Given<P, Q>,
) => Promise<Output<A[keyof A & number]>>;

/** Calls routes for the API of an engine's own process. */
export interface Caller {
  readonly call: Call;
  /** Runs a function of a route. Its errors name options instead of headers and parameters. */
  run<Result>(work: (service: Service) => Promise<Result>): Promise<Result>;
}

/** @param begin called before each call */
export function createCaller(service: Service, begin: () => void): Caller {
  const run: Caller["run"] = async (work) => {
    begin();
    try {
      return await work(service);
    } catch (error) {
      throw error instanceof EngineError ? inOptionNames(error) : error;
    }
  };
  return {
    run,
    call: (route, { params, query, headers = new Map<string, string>(), body, signal } = {}) =>
      run(async () => {
        checkSignal(signal);
        if (query !== undefined) refuseUnknown(query, route.query ?? {});
        return route.handle(
          {
            params: readValues(route.params ?? {}, (name) => [toText(name, params?.[name])]) as never,
            query: readValues(route.query ?? {}, (name) => {
              const isFlag = route.query?.[name]?.schema.type === "boolean";
              return toValues(name, query?.[name], isFlag);
            }) as never,
            headers,
            body: (route.body?.check ? route.body.check(body) : body) as never,
            signal: () => signal,
            callerIp: LOCAL,
            sender: THIS_PROCESS,
            now: service.clock.now(),
          },
          service,
        );
      }),
  };
}

/** @throws TypeError */
export function checkSignal(signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw mustBe("signal", "an AbortSignal", signal);
}

/** @throws TypeError for a filter that a route doesn't have */
function refuseUnknown(given: object, known: Parameters): void {
  checkFilters(given);
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  const names = Object.keys(known).map(toOptionName).join(", ");
  throw new TypeError(`Unknown option "${toOptionName(unknown)}". The options are ${names}.`);
}

/** Checks a name or an id that replaces a part of a path. @throws TypeError */
function toText(name: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw new TypeError(`${name} must be a non-empty string; got ${JSON.stringify(value) ?? typeof value}.`);
}

/** Converts a filter to the values of a parameter in a query. @throws TypeError */
function toValues(name: string, value: FilterValue, isFlag: boolean): string[] {
  if (value === undefined) return [];
  // A route reads the string "false" as false, so that a `dryRun` would change something.
  if (isFlag && typeof value !== "boolean") throw mustBe(toOptionName(name), "true or false", value);
  if (!Array.isArray(value)) return [toValue(name, value as Scalar)];
  // An empty list would match everything.
  if (value.length === 0) throw new TypeError(`${toOptionName(name)} must have a value; got an empty list.`);
  return value.map((one) => toValue(name, one));
}

function toValue(name: string, value: Scalar): string {
  if (value instanceof Date && Number.isFinite(value.getTime())) return String(value.getTime());
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
    return String(value);
  throw new TypeError(
    `${toOptionName(name)} must be a string, a number, true, false or a Date; got ${value}.`,
  );
}

/** Replaces the name of a header or parameter in an error by the name of its option. */
export function inOptionNames(error: EngineError): EngineError {
  const { field } = error.facts;
  if (field === undefined) return error;
  const name = toOptionName(field);
  const message = error.message.replace(field, () => name);
  return new EngineError(error.code, message, { ...error.facts, field: name, cause: error.cause });
}
