import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createWorkflow, serve, serveMany, toNode } from "@perdure/adapters/node";
import { answer, answerOptions, echo, fulfil, many, orderOptions } from "../src/workflows.ts";
import { routeOf } from "./routes.ts";

const routes = {
  "/api/order": serve(fulfil, orderOptions),
  "/api/answer": serve(answer, answerOptions),
  "/api/many/": serveMany(many(createWorkflow)),
  "/api/echo": toNode(echo),
};

const server = createServer((request, response) => {
  const listener = routeOf(routes, request.url);
  if (listener) void listener(request, response);
  else response.writeHead(404).end();
});
server.listen(0, "127.0.0.1", () =>
  console.log(`listening on port ${(server.address() as AddressInfo).port}`),
);
