import { createWorkflow, serve, serveMany, toHono } from "@perdure/adapters/hono";
import { Hono } from "hono";
import { answer, answerOptions, echo, fulfil, many, orderOptions } from "../src/workflows.ts";

const routes = new Hono()
  .all("/order", serve(fulfil, orderOptions))
  .all("/answer", serve(answer, answerOptions))
  .all("/many/*", serveMany(many(createWorkflow)))
  .all("/echo", toHono(echo));

export default new Hono().route("/api", routes);
