import type { AddressInfo } from "node:net";
import { createWorkflow, serve, serveMany, toKoa } from "@perdure/adapters/koa";
import Koa from "koa";
import { answer, answerOptions, echo, fulfil, many, orderOptions } from "../src/workflows.ts";
import { routeOf } from "./routes.ts";

const routes = {
  "/api/order": serve(fulfil, orderOptions),
  "/api/answer": serve(answer, answerOptions),
  "/api/many/": serveMany(many(createWorkflow)),
  "/api/echo": toKoa(echo),
};

const app = new Koa();
app.use((context) => routeOf(routes, context.path)?.(context));
const server = app.listen(0, "127.0.0.1", () => {
  console.log(`listening on port ${(server.address() as AddressInfo).port}`);
});
