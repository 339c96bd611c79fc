import { createWorkflow, serve, serveMany, toBun } from "@perdure/adapters/bun";
import { answer, answerOptions, echo, fulfil, many, orderOptions } from "../src/workflows.ts";

declare const Bun: { serve(options: object): { readonly port: number } };

const routes = {
  "/api/order": serve(fulfil, orderOptions),
  "/api/answer": serve(answer, answerOptions),
  "/api/many/*": serveMany(many(createWorkflow)),
  "/api/echo": toBun(echo),
};

const { port } = Bun.serve({ routes, hostname: "127.0.0.1", port: 0 });
console.log(`listening on port ${port}`);
