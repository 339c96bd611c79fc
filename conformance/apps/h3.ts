import { createWorkflow, serve, serveMany, toH3 } from "@perdure/adapters/h3";
import { H3, serve as listen } from "h3";
import { answer, answerOptions, echo, fulfil, many, orderOptions } from "../src/workflows.ts";

const app = new H3()
  .all("/api/order", serve(fulfil, orderOptions).handler)
  .all("/api/answer", serve(answer, answerOptions).handler)
  .all("/api/many/**", serveMany(many(createWorkflow)).handler)
  .all("/api/echo", toH3(echo).handler);

const server = listen(app, { hostname: "127.0.0.1", port: 0, silent: true });
await server.ready();
console.log(`listening on port ${new URL(server.url ?? "").port}`);
