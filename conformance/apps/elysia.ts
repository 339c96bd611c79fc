import { createWorkflow, serve, serveMany, toElysia } from "@perdure/adapters/elysia";
import { Elysia } from "elysia";
import { answer, answerOptions, echo, fulfil, many, orderOptions } from "../src/workflows.ts";

const app = new Elysia({ prefix: "/api" })
  .all("/order", serve(fulfil, orderOptions), { parse: "none" })
  .all("/answer", serve(answer, answerOptions), { parse: "none" })
  .all("/many/*", serveMany(many(createWorkflow)), { parse: "none" })
  .all("/echo", toElysia(echo), { parse: "none" })
  .listen({ hostname: "127.0.0.1", port: 0 });
console.log(`listening on port ${app.server?.port}`);
