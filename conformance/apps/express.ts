import type { AddressInfo } from "node:net";
import { createWorkflow, serve, serveMany, toExpress } from "@perdure/adapters/express";
import type express from "express";
import { answer, answerOptions, echo, fulfil, many, orderOptions } from "../src/workflows.ts";

/** The app, of either version. */
export function listen(make: typeof express): void {
  const routes = make.Router();
  routes.all("/order", serve(fulfil, orderOptions));
  routes.all("/answer", serve(answer, answerOptions));
  routes.use("/many", serveMany(many(createWorkflow)));
  routes.all("/echo", toExpress(echo));

  const app = make();
  app.use("/api", routes);
  app.use(make.json());
  const server = app.listen(0, "127.0.0.1", () => {
    console.log(`listening on port ${(server.address() as AddressInfo).port}`);
  });
}
