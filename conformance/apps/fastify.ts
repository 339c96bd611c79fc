import type { AddressInfo } from "node:net";
import { createWorkflow, serve, serveMany, toFastify } from "@perdure/adapters/fastify";
import fastify from "fastify";
import { answer, answerOptions, echo, fulfil, many, orderOptions } from "../src/workflows.ts";

const app = fastify();
app.register(
  async (routes) => {
    routes.register(serve(fulfil, orderOptions), { prefix: "/order" });
    routes.register(serve(answer, answerOptions), { prefix: "/answer" });
    routes.register(serveMany(many(createWorkflow)), { prefix: "/many" });
    routes.register(toFastify(echo), { prefix: "/echo" });
  },
  { prefix: "/api" },
);
await app.listen({ host: "127.0.0.1", port: 0 });
console.log(`listening on port ${(app.server.address() as AddressInfo).port}`);
