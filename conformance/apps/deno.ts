import { createWorkflow, serve, serveMany, toDeno } from "@perdure/adapters/deno";
import { answer, answerOptions, echo, fulfil, many, orderOptions } from "../src/workflows.ts";
import { routeOf } from "./routes.ts";

declare const Deno: {
  serve(options: object, handler: (request: Request) => Response | Promise<Response>): unknown;
};

const routes = {
  "/api/order": serve(fulfil, orderOptions),
  "/api/answer": serve(answer, answerOptions),
  "/api/many/": serveMany(many(createWorkflow)),
  "/api/echo": toDeno(echo),
};

const onListen = ({ port }: { port: number }) => console.log(`listening on port ${port}`);
Deno.serve({ hostname: "127.0.0.1", port: 0, onListen }, (request) => {
  const handler = routeOf(routes, new URL(request.url).pathname);
  return handler ? handler(request) : new Response(null, { status: 404 });
});
