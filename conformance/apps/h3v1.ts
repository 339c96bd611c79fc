import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createWorkflow, serve, serveMany, toH3 } from "@perdure/adapters/h3";
import { createApp, type EventHandler, toNodeListener } from "h3v1";
import { answer, answerOptions, echo, fulfil, many, orderOptions } from "../src/workflows.ts";

const app = createApp()
  .use("/api/order", serve(fulfil, orderOptions).handler as EventHandler)
  .use("/api/answer", serve(answer, answerOptions).handler as EventHandler)
  .use("/api/many", serveMany(many(createWorkflow)).handler as EventHandler)
  .use("/api/echo", toH3(echo).handler as EventHandler);

const server = createServer(toNodeListener(app));
server.listen(0, "127.0.0.1", () =>
  console.log(`listening on port ${(server.address() as AddressInfo).port}`),
);
