import type { Handler, InlineOptions } from "@perdure/core";
import { fromBase64, toBase64 } from "@perdure/core/protocol";
import { isRewritten } from "./internal/path.ts";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type Values = Readonly<Record<string, string | undefined>>;
type MultiValues = Readonly<Record<string, readonly string[] | undefined>>;

/** The adapter reads these fields of an event of a REST API or a load balancer. */
interface RestEvent {
  readonly httpMethod: string;
  readonly path: string;
  readonly headers?: Values | null | undefined;
  readonly multiValueHeaders?: MultiValues | null | undefined;
  readonly queryStringParameters?: Values | null | undefined;
  readonly multiValueQueryStringParameters?: MultiValues | null | undefined;
  readonly body: string | null;
  readonly isBase64Encoded: boolean;
  readonly requestContext: object;
}

/** The adapter reads these fields of an event of an HTTP API or a function URL. */
interface HttpEvent {
  readonly rawPath: string;
  readonly rawQueryString: string;
  readonly headers: Values;
  readonly cookies?: readonly string[] | undefined;
  readonly body?: string | undefined;
  readonly isBase64Encoded: boolean;
  readonly requestContext: { readonly domainName: string; readonly http: { readonly method: string } };
}

interface Result {
  statusCode: number;
  headers?: Record<string, string>;
  multiValueHeaders?: Record<string, string[]>;
  cookies?: string[];
  body: string;
  isBase64Encoded: boolean;
}

/** The adapter reads this of a function's context. */
interface LambdaContext {
  readonly getRemainingTimeInMillis?: () => number;
}

type LambdaHandler = (event: RestEvent | HttpEvent, context?: LambdaContext) => Promise<Result>;

/** Seconds after which an invocation begins no further step, however much time the function has left. */
const MAX_SECONDS = 10;

/**
 * Turns the handler of a workflow into a function of AWS Lambda, behind API Gateway (REST or HTTP API), a function URL or a
 * load balancer. REST APIs pass the query decoded; the adapter encodes it again.
 *
 * @example
 * ```ts
 * import { serve } from "@perdure/core";
 *
 * const { handler: workflow } = serve(order);
 * export const handler = toLambda(workflow);
 * ```
 */
export function toLambda(handler: Handler): LambdaHandler {
  return async (event, context) => {
    if (isRewritten("rawPath" in event ? event.rawPath : pathOf(event))) return refusal(event);
    const request = "rawPath" in event ? fromHttp(event) : fromRest(event);
    const response = await handler(request, undefined, limitsOf(context));
    const body = request.method === "HEAD" ? new ArrayBuffer(0) : await response.arrayBuffer();
    return { statusCode: response.status, ...headersFor(event, response.headers), ...encode(body) };
  };
}

/** Half of the time that the function has left is for steps to begin, and the other half for the last one to end. */
function limitsOf(context: LambdaContext | undefined): InlineOptions {
  const seconds = (context?.getRemainingTimeInMillis?.() ?? Number.POSITIVE_INFINITY) / 2000;
  return { maxDuration: Math.max(0, Math.min(MAX_SECONDS, seconds)) };
}

function refusal(event: RestEvent | HttpEvent): Result {
  return { statusCode: 400, ...headersFor(event, new Headers()), body: "", isBase64Encoded: false };
}

function fromHttp(event: HttpEvent): Request {
  const { domainName, http } = event.requestContext;
  const query = event.rawQueryString && `?${event.rawQueryString}`;
  const headers = toHeaders(event.headers);
  if (event.cookies?.length) headers.set("Cookie", event.cookies.join("; "));
  return toRequest(event, http.method, headers, `https://${domainName}${event.rawPath}${query}`);
}

function fromRest(event: RestEvent): Request {
  const context: { readonly domainName?: string } = event.requestContext;
  const headers = toHeaders(event.multiValueHeaders ?? event.headers);
  const host = context.domainName ?? headers.get("Host") ?? "localhost";
  return toRequest(event, event.httpMethod, headers, `https://${host}${pathOf(event)}${queryOf(event)}`);
}

/** Returns the path as the client sent it, with the stage. */
function pathOf({ path, requestContext }: RestEvent): string {
  const context: { readonly path?: string } = requestContext;
  return context.path ?? path;
}

function queryOf(event: RestEvent): string {
  // A load balancer passes the query as the client encoded it.
  const encode = "elb" in event.requestContext ? (text: string) => text : encodeURIComponent;
  const parameters = event.multiValueQueryStringParameters ?? event.queryStringParameters;
  const pairs = entriesOf(parameters).map(([name, value]) => `${encode(name)}=${encode(value)}`);
  return pairs.length > 0 ? `?${pairs.join("&")}` : "";
}

function toHeaders(values: Values | MultiValues | null | undefined): Headers {
  return new Headers(entriesOf(values));
}

function entriesOf(values: Values | MultiValues | null | undefined): [string, string][] {
  return Object.entries(values ?? {}).flatMap(([name, value = []]) =>
    [value].flat().map((one): [string, string] => [name, one]),
  );
}

function toRequest(event: RestEvent | HttpEvent, method: string, headers: Headers, url: string): Request {
  const body = method === "GET" || method === "HEAD" ? null : decode(event.body ?? "", event.isBase64Encoded);
  return new Request(url, { method, headers, body });
}

/** Formats the headers like the event's: with a list of cookies, with several values each, or with one value each. */
function headersFor(
  event: RestEvent | HttpEvent,
  headers: Headers,
): Pick<Result, "headers" | "multiValueHeaders" | "cookies"> {
  if ("rawPath" in event) {
    const single = [...headers].filter(([name]) => name !== "set-cookie");
    return { headers: Object.fromEntries(single), cookies: headers.getSetCookie() };
  }
  if (!event.multiValueHeaders) return { headers: Object.fromEntries(headers) };
  const multiple = [...headers].map(([name, value]): [string, string[]] => [
    name,
    name === "set-cookie" ? headers.getSetCookie() : [value],
  ]);
  return { multiValueHeaders: Object.fromEntries(multiple) };
}

function decode(body: string, isBase64: boolean): Uint8Array<ArrayBuffer> {
  if (!isBase64) return new TextEncoder().encode(body);
  return fromBase64(body);
}

/** Encodes UTF-8 as a string, and other bytes as base64. */
function encode(body: ArrayBuffer): Pick<Result, "body" | "isBase64Encoded"> {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
    return { body: text, isBase64Encoded: false };
  } catch {
    return { body: toBase64(new Uint8Array(body)), isBase64Encoded: true };
  }
}

/**
 * Serves a workflow as a function of AWS Lambda.
 *
 * @example
 * ```ts
 * import { serve } from "@perdure/adapters/aws-lambda";
 *
 * export const handler = serve(async (context) => {
 *   await context.run("greet", () => console.log("hello"));
 * });
 * ```
 */
export const serve: Serve<LambdaHandler> = serveAs(toLambda);

/**
 * Serves several workflows as a function of AWS Lambda.
 * The last segment of a request's URL is the key of its workflow.
 *
 * @example
 * ```ts
 * import { createWorkflow, serveMany } from "@perdure/adapters/aws-lambda";
 *
 * export const handler = serveMany({
 *   order: createWorkflow(order),
 *   invoice: createWorkflow(invoice),
 * });
 * ```
 */
export const serveMany: ServeMany<LambdaHandler> = serveManyAs(toLambda);

export { createWorkflow } from "@perdure/core";
