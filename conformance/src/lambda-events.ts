import type { IncomingMessage } from "node:http";

/** A request as AWS hands it to a function, and a function's answer. Only what JSON carries arrives on either side. */
export interface Result {
  readonly statusCode: number;
  readonly headers?: Record<string, string>;
  readonly multiValueHeaders?: Record<string, string[]>;
  readonly cookies?: string[];
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
}

/** Who calls the function. */
export type Source = "rest-api" | "http-api" | "function-url" | "load-balancer";

export const STAGE = "prod";

/** The event for a request, in the shape of its source. */
export function eventOf(source: Source, incoming: IncomingMessage, bytes: Buffer): object {
  switch (source) {
    case "rest-api":
      return fromRestApi(incoming, bytes);
    case "http-api":
      return fromHttpApi(incoming, bytes, "api-id.execute-api.eu-central-1.amazonaws.com");
    case "function-url":
      return fromHttpApi(incoming, bytes, "url-id.lambda-url.eu-central-1.on.aws");
    case "load-balancer":
      return fromLoadBalancer(incoming, bytes);
    default:
      return source satisfies never;
  }
}

/** Version 1.0: the stage is cut off the path, and the query is decoded. */
function fromRestApi(incoming: IncomingMessage, bytes: Buffer): object {
  const { pathname, searchParams } = urlOf(incoming);
  const path = pathname.slice(`/${STAGE}`.length);
  const multiple = Object.fromEntries(
    [...searchParams.keys()].map((name) => [name, searchParams.getAll(name)]),
  );
  const names = Object.keys(multiple);
  const method = incoming.method;
  return {
    resource: "/{proxy+}",
    path,
    httpMethod: method,
    headers: singleHeaders(incoming),
    multiValueHeaders: incoming.headersDistinct,
    queryStringParameters: names.length > 0 ? Object.fromEntries(searchParams) : null,
    multiValueQueryStringParameters: names.length > 0 ? multiple : null,
    pathParameters: { proxy: path.slice(1) },
    stageVariables: null,
    requestContext: {
      accountId: "123456789012",
      apiId: "api-id",
      domainName: incoming.headers.host,
      httpMethod: method,
      identity: { sourceIp: "127.0.0.1" },
      path: pathname,
      protocol: "HTTP/1.1",
      requestId: "id",
      resourcePath: "/{proxy+}",
      stage: STAGE,
    },
    ...bodyOf(incoming, bytes, null),
  };
}

/** Version 2.0: cookies are beside the headers, and path and query are as they came. */
function fromHttpApi(incoming: IncomingMessage, bytes: Buffer, id: string): object {
  const { pathname, search, searchParams } = urlOf(incoming);
  const { cookie, ...headers } = singleHeaders(incoming);
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: pathname,
    rawQueryString: search.slice(1),
    ...(cookie ? { cookies: cookie.split("; ") } : {}),
    headers,
    ...(search ? { queryStringParameters: Object.fromEntries(searchParams) } : {}),
    requestContext: {
      accountId: "anonymous",
      apiId: id.split(".")[0],
      domainName: incoming.headers.host,
      domainPrefix: id.split(".")[0],
      http: {
        method: incoming.method,
        path: pathname,
        protocol: "HTTP/1.1",
        sourceIp: "127.0.0.1",
        userAgent: "",
      },
      requestId: "id",
      routeKey: "$default",
      stage: "$default",
      timeEpoch: 0,
    },
    ...bodyOf(incoming, bytes, undefined),
  };
}

/** Headers have one value each, as target groups have it by default, and the query isn't decoded. */
function fromLoadBalancer(incoming: IncomingMessage, bytes: Buffer): object {
  const { pathname, search } = urlOf(incoming);
  const pairs = search.slice(1).split("&").filter(Boolean);
  return {
    requestContext: {
      elb: { targetGroupArn: "arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/a/b" },
    },
    httpMethod: incoming.method,
    path: pathname,
    queryStringParameters: Object.fromEntries(pairs.map((pair) => pair.split("=", 2))),
    headers: singleHeaders(incoming),
    ...bodyOf(incoming, bytes, ""),
  };
}

function urlOf({ url, headers }: IncomingMessage): URL {
  return new URL(url ?? "/", `http://${headers.host}`);
}

function singleHeaders({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

const TEXT = /^(?:text\/|application\/(?:json|javascript|xml)\b)/;

function bodyOf({ headers }: IncomingMessage, bytes: Buffer, none: string | null | undefined): object {
  if (bytes.length === 0) return { body: none, isBase64Encoded: false };
  const isText = TEXT.test(headers["content-type"] ?? "");
  return { body: bytes.toString(isText ? "utf8" : "base64"), isBase64Encoded: !isText };
}
