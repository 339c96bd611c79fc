import { createWorkflow, serve, serveMany, toCloudflare } from "@perdure/adapters/cloudflare";
import { answer, answerOptions, echo, fulfil, many, orderOptions } from "../src/workflows.ts";
import { routeOf } from "./routes.ts";

const routes = {
  "/api/order": serve(fulfil, orderOptions),
  "/api/answer": serve(answer, answerOptions),
  "/api/many/": serveMany(many(createWorkflow)),
  "/api/echo": toCloudflare(echo),
};

export default {
  async fetch(request: Request, env: unknown): Promise<Response> {
    const worker = routeOf(routes, new URL(request.url).pathname);
    return worker ? worker.fetch(request, env) : new Response(null, { status: 404 });
  },
};
