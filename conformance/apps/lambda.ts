import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { createWorkflow, serve, serveMany, toLambda } from "@perdure/adapters/aws-lambda";
import { eventOf, type Result, type Source, STAGE } from "../src/lambda-events.ts";
import { answer, answerOptions, echo, fulfil, many, orderOptions } from "../src/workflows.ts";
import { routeOf } from "./routes.ts";

const source = process.env.CONFORMANCE_EVENTS as Source;
const prefix = source === "rest-api" ? `/${STAGE}/api` : "/api";

type Function = ReturnType<typeof toLambda>;
const functions: Record<string, Function> = {
  [`${prefix}/order`]: serve(fulfil, orderOptions),
  [`${prefix}/answer`]: serve(answer, answerOptions),
  [`${prefix}/many/`]: serveMany(many(createWorkflow)),
  [`${prefix}/echo`]: toLambda(echo),
};

// What AWS puts before a function: a request comes in whole, travels as an event, and so does the answer.
const server = createServer(async (incoming, outgoing) => {
  const bytes = await buffer(incoming).catch(() => undefined);
  const handler = routeOf(functions, incoming.url);
  if (!bytes || !handler) return void outgoing.writeHead(404).end();
  const event = overTheWire(eventOf(source, incoming, bytes)) as Parameters<Function>[0];
  send(overTheWire(await handler(event)), outgoing);
});

function overTheWire<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value));
}

function send(
  { statusCode, headers, multiValueHeaders, cookies, body, isBase64Encoded }: Result,
  outgoing: ServerResponse,
) {
  for (const [name, value] of Object.entries({ ...headers, ...multiValueHeaders }))
    outgoing.setHeader(name, value);
  if (cookies?.length) outgoing.setHeader("Set-Cookie", cookies);
  outgoing.writeHead(statusCode).end(Buffer.from(body ?? "", isBase64Encoded ? "base64" : "utf8"));
}

server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  // AWS ends TLS, and the functions take the URL to be https: here it isn't.
  process.env.UPSTASH_WORKFLOW_URL = `http://127.0.0.1:${port}`;
  console.log(`listening on port ${port}`);
});
