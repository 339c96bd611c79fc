import { randomBytes } from "node:crypto";
import { createWorkflow, type Handler } from "@perdure/core";
import type {
  ALBEvent,
  ALBResult,
  APIGatewayProxyEvent,
  APIGatewayProxyEventV2,
  APIGatewayProxyResult,
  APIGatewayProxyStructuredResultV2,
  LambdaFunctionURLEvent,
} from "aws-lambda";
import { describe, expect, expectTypeOf, it } from "vitest";
import { serve, serveMany, toLambda } from "../src/aws-lambda.ts";

const BODY = '{ "a":1.0, "é":"\\u00e9" }';
const NOISE = randomBytes(2 ** 20);
const COOKIES = ["a=1", "b=2, or 3"];

interface Asked {
  readonly method?: string;
  readonly body?: string | Buffer;
  readonly key?: string;
}

const carried = (body: string | Buffer) =>
  typeof body === "string"
    ? { body, isBase64Encoded: false }
    : { body: body.toString("base64"), isBase64Encoded: true };

function restEvent({ method = "POST", body = BODY, key = "order" }: Asked): APIGatewayProxyEvent {
  return {
    resource: "/{proxy+}",
    path: `/wf/${key}`,
    httpMethod: method,
    headers: { Host: "id.execute-api.eu-central-1.amazonaws.com", "X-Asked": "last" },
    multiValueHeaders: {
      Host: ["id.execute-api.eu-central-1.amazonaws.com"],
      "X-Asked": ["first", "last"],
      Cookie: ["c=1; d=2"],
      "X-Forwarded-Proto": ["http"],
    },
    queryStringParameters: { a: "é &", b: "" },
    multiValueQueryStringParameters: { a: ["1", "é &"], b: [""] },
    pathParameters: null,
    stageVariables: null,
    ...carried(body),
    requestContext: {
      accountId: "123456789012",
      apiId: "id",
      authorizer: null,
      domainName: "id.execute-api.eu-central-1.amazonaws.com",
      httpMethod: method,
      identity: {} as APIGatewayProxyEvent["requestContext"]["identity"],
      path: `/prod/wf/${key}`,
      protocol: "HTTP/1.1",
      requestId: "1",
      requestTimeEpoch: 1,
      resourceId: "1",
      resourcePath: "/{proxy+}",
      stage: "prod",
    },
  };
}

function httpEvent({ method = "POST", body = BODY, key = "order" }: Asked): APIGatewayProxyEventV2 {
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: `/prod/wf/${key}`,
    rawQueryString: "a=1&a=%C3%A9%20%26&b=",
    cookies: ["c=1", "d=2"],
    headers: { host: "orders.example.com", "x-asked": "first,last", "x-forwarded-proto": "http" },
    ...carried(body),
    requestContext: {
      accountId: "123456789012",
      apiId: "id",
      domainName: "orders.example.com",
      domainPrefix: "orders",
      http: { method, path: `/prod/wf/${key}`, protocol: "HTTP/1.1", sourceIp: "::1", userAgent: "test" },
      requestId: "1",
      routeKey: "$default",
      stage: "prod",
      time: "",
      timeEpoch: 1,
    },
  };
}

function balancerEvent({ method = "POST", body = BODY, key = "order" }: Asked): ALBEvent {
  return {
    path: `/wf/${key}`,
    httpMethod: method,
    headers: { host: "orders.example.com", "x-asked": "first,last", cookie: "c=1; d=2" },
    queryStringParameters: { a: "%C3%A9%20%26", b: "" },
    ...carried(body),
    requestContext: { elb: { targetGroupArn: "arn" } },
  };
}

function multiBalancerEvent(asked: Asked): ALBEvent {
  const { headers: _headers, queryStringParameters: _query, ...event } = balancerEvent(asked);
  return {
    ...event,
    multiValueHeaders: { host: ["orders.example.com"], "x-asked": ["first", "last"], cookie: ["c=1; d=2"] },
    multiValueQueryStringParameters: { a: ["1", "%C3%A9%20%26"], b: [""] },
  };
}

const REST = "https://id.execute-api.eu-central-1.amazonaws.com/prod/wf/order";
const QUERY = "a=1&a=%C3%A9%20%26&b=";
const events = [
  ["a REST API", restEvent, `${REST}?${QUERY}`],
  ["an HTTP API, or a function URL", httpEvent, `https://orders.example.com/prod/wf/order?${QUERY}`],
  ["a load balancer", balancerEvent, "https://orders.example.com/wf/order?a=%C3%A9%20%26&b="],
  [
    "a load balancer with multi-value headers",
    multiBalancerEvent,
    `https://orders.example.com/wf/order?${QUERY}`,
  ],
] as const;

describe.each(events)("an event of %s", (_name, event, url) => {
  async function handled(asked: Asked, respond: Handler = async () => new Response()) {
    const requests: Request[] = [];
    const lambda = toLambda(async (request) => {
      requests.push(request);
      return respond(request);
    });
    const result = await lambda(event(asked));
    const [request] = requests;
    if (!request) throw new Error("The handler wasn't asked.");
    return { request, result };
  }

  it("becomes a request: URL, method and headers", async () => {
    const { request } = await handled({ method: "PUT" });
    expect(request.url).toBe(url);
    expect(request.method).toBe("PUT");
    expect(request.headers.get("X-Asked")?.replace(", ", ",")).toBe("first,last");
    expect(request.headers.get("Cookie")).toBe("c=1; d=2");
  });

  it.each([
    ["text", BODY],
    ["bytes", NOISE],
    ["nothing", ""],
  ])("hands over %s and back", async (_what, body) => {
    const { result } = await handled({ body }, async (request) => new Response(await request.arrayBuffer()));
    const bytes = Buffer.from(result.body, result.isBase64Encoded ? "base64" : "utf8");
    expect(bytes.equals(Buffer.from(body))).toBe(true);
    expect(result.isBase64Encoded).toBe(body === NOISE);
  });

  it.each(["GET", "HEAD"])("has no body with %s", async (method) => {
    const { request, result } = await handled({ method, body: "" }, async () => new Response("body"));
    expect(request.body).toBe(null);
    expect(result.body).toBe(method === "GET" ? "body" : "");
  });

  it.each(["../admin", "%2e%2E/admin", ".", "..\\admin"])(
    "is refused with a path that isn't read as it was sent: %s",
    async (key) => {
      const requests: Request[] = [];
      const lambda = toLambda(async (request) => {
        requests.push(request);
        return new Response();
      });
      expect(await lambda(event({ key }))).toMatchObject({ statusCode: 400, body: "" });
      expect(await lambda(event({ key: "a..b" }))).toMatchObject({ statusCode: 200 });
      expect(requests.map(({ url }) => new URL(url).pathname.replace(/^\/prod/, ""))).toEqual(["/wf/a..b"]);
    },
  );

  it("is answered with status and headers, in the event's own shape", async () => {
    const headers: [string, string][] = COOKIES.map((cookie) => ["Set-Cookie", cookie]);
    const answer = new Response("", { status: 203, headers: [...headers, ["X-Answer", "yes"]] });
    const { result } = await handled({}, async () => answer);
    expect(result).toMatchObject({ statusCode: 203, ...shapes[event.name] });
  });

  it("reaches the workflow", async () => {
    const open = { env: {}, verify: "off", bodyLimit: 5 } as const;
    const one = await serve(() => 1, open)(event({}));
    expect(one.statusCode).toBe(413);
    const many = serveMany({ order: createWorkflow(() => 1, open) });
    expect((await many(event({}))).statusCode).toBe(413);
    expect((await many(event({ key: "other" }))).statusCode).toBe(404);
    expect((await many(event({ method: "GET", body: "" }))).statusCode).toBe(405);
  });
});

const multiple = { multiValueHeaders: { "set-cookie": COOKIES, "x-answer": ["yes"] } };
const shapes: Record<string, object> = {
  restEvent: multiple,
  httpEvent: { headers: { "x-answer": "yes" }, cookies: COOKIES },
  balancerEvent: { headers: { "set-cookie": COOKIES[1], "x-answer": "yes" } },
  multiBalancerEvent: multiple,
};

it("has the types of all four", () => {
  const lambda = toLambda(async () => new Response());
  expectTypeOf(lambda).toExtend<(event: APIGatewayProxyEvent) => Promise<Partial<APIGatewayProxyResult>>>();
  expectTypeOf(lambda).toExtend<
    (event: APIGatewayProxyEventV2) => Promise<APIGatewayProxyStructuredResultV2>
  >();
  expectTypeOf(lambda).toExtend<
    (event: LambdaFunctionURLEvent) => Promise<APIGatewayProxyStructuredResultV2>
  >();
  expectTypeOf(lambda).toExtend<(event: ALBEvent) => Promise<ALBResult>>();
});
